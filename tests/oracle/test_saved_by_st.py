"""Folders that sentence-transformers 6.2 itself has just saved."""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hotbed import Embedder
from hotbed.errors import UnsupportedModelError
from hotbed.testing import build_tiny
from hotbed.testing.tiny import bert_config
from tests.oracle.pair import CUT, Pair, edit

pytestmark = pytest.mark.filterwarnings(CUT)

Load = Callable[..., Pair]
Make = Callable[..., Any]


@pytest.fixture
def transformer(tmp_path: Path, torch: Any) -> Callable[..., Any]:
    """Make a Transformer module around transformers' own BertModel with random weights."""
    transformers = importlib.import_module("transformers")
    package = importlib.import_module("sentence_transformers")
    folder = build_tiny(tmp_path / "random")

    def make(**config: Any) -> Any:
        torch.manual_seed(7)
        model = transformers.BertModel(transformers.BertConfig(**bert_config(**config)))
        for name, values in model.named_parameters():  # 0.02, the default, makes texts all alike
            if "LayerNorm" not in name:
                torch.nn.init.normal_(values, std=0.3)
        model.save_pretrained(folder)
        return package.sentence_transformer.modules.Transformer(str(folder))

    return make


@pytest.fixture
def save(tmp_path: Path, pair: Load) -> Callable[..., Pair]:
    """Save modules as a SentenceTransformer, and open the folder with both."""
    package = importlib.import_module("sentence_transformers")

    def write(modules: list[Any], **options: Any) -> Pair:
        folder = tmp_path / "saved"
        model = package.SentenceTransformer(modules=modules, device="cpu", **options)
        model.save_pretrained(str(folder), create_model_card=False)
        assert type(json.loads((folder / "modules.json").read_text(encoding="utf-8"))) is list
        return pair(folder)

    return write


@pytest.fixture
def modules(torch: Any) -> Any:
    """The classes of sentence-transformers' modules."""
    return importlib.import_module("sentence_transformers.sentence_transformer.modules")


@pytest.mark.parametrize(
    "config",
    [
        {},
        {"hidden_act": "relu", "num_hidden_layers": 3},
        {"hidden_act": "gelu_new", "layer_norm_eps": 1e-5},
        {"hidden_size": 48, "num_attention_heads": 3, "intermediate_size": 96},
        {"type_vocab_size": 1, "max_position_embeddings": 20},
    ],
    ids=str,
)
def test_transformer_and_pooling(
    transformer: Make, save: Make, modules: Any, config: dict[str, Any]
) -> None:
    """A BertModel of transformers' own making, saved with mean pooling, gives its vectors."""
    first = transformer(**config)
    save([first, modules.Pooling(first.get_embedding_dimension())]).agree()


@pytest.mark.parametrize(
    "mode", ["cls", "lasttoken", ("weightedmean", "max"), ("mean", "cls", "mean_sqrt_len_tokens")]
)
def test_pooling(transformer: Make, save: Make, modules: Any, mode: str | tuple[str, ...]) -> None:
    """Pooling saved in the new form, one mode or several, gives sentence-transformers' vectors."""
    save([transformer(), modules.Pooling(32, mode), modules.Normalize()]).agree()


def test_every_module(transformer: Make, save: Make, modules: Any, torch: Any) -> None:
    """A folder of all modules that hotbed runs gives sentence-transformers' vectors."""
    chain = [
        transformer(),
        modules.Pooling(32, ("mean", "max")),
        modules.LayerNorm(64),
        modules.Dense(64, 24, activation_function=torch.nn.GELU()),
        modules.Dropout(0.3),
        modules.Dense(24, 24, bias=False, use_residual=True),
        modules.Dense(24, 40, activation_function=None, use_residual=True),
        modules.Normalize(),
    ]
    models = save(chain)
    models.agree()
    assert models.hotbed.get_embedding_dimension() == models.st.get_embedding_dimension() == 40


def test_prompts_and_similarity(transformer: Make, save: Make, modules: Any) -> None:
    """Prompts, default, similarity and truncate_dim come back as the oracle saved them."""
    models = save(
        [transformer(), modules.Pooling(32, include_prompt=False)],
        prompts={"query": "query : ", "question": "question ? "},
        default_prompt_name="question",
        similarity_fn_name="euclidean",
        truncate_dim=12,
    )
    assert models.hotbed.prompts == models.st.prompts
    assert models.hotbed.default_prompt_name == models.st.default_prompt_name == "question"
    assert models.hotbed.similarity_fn_name == models.st.similarity_fn_name == "euclidean"
    assert models.hotbed.truncate_dim == models.st.truncate_dim == 12
    for method in ("encode", "encode_query", "encode_document"):
        models.agree(method=method)


def test_a_limit_that_was_set(transformer: Make, save: Make, modules: Any) -> None:
    """A max_seq_length set before saving is read back, wherever sentence-transformers put it."""
    first = transformer()
    first.max_seq_length = 7
    models = save([first, modules.Pooling(32)])
    assert models.hotbed.max_seq_length == models.st.max_seq_length == 7
    models.agree()


def test_saved_again(tmp_path: Path, st: Make, pair: Load) -> None:
    """An old folder that sentence-transformers 6.2 loads and saves again gives the same vectors."""
    options: dict[str, Any] = {"pooling": {"pooling_mode_cls_token": True}, "do_lower_case": True}
    st(build_tiny(tmp_path / "old", **options)).save_pretrained(
        str(tmp_path / "new"), create_model_card=False
    )
    models = pair(tmp_path / "new")
    models.agree()
    models.agree(["A DOG", "a dog"])


def test_a_bare_transformer(transformer: Make, pair: Load, tmp_path: Path) -> None:
    """What transformers' save_pretrained wrote is pooled by mean, as in the oracle."""
    folder = tmp_path / "bare"
    first = transformer()
    first.model.save_pretrained(str(folder))
    first.tokenizer.save_pretrained(str(folder))
    pair(folder).agree()


def test_without_modules_json(tmp_path: Path, pair: Load) -> None:
    """Without modules.json the folder's prompts, limit and modules count for nothing, in both."""
    folder = build_tiny(
        tmp_path / "tiny", prompts={"query": "query : "}, default_prompt_name="query"
    )
    (folder / "modules.json").unlink()
    models = pair(folder)
    assert models.hotbed.prompts == models.st.prompts == {"query": "", "document": ""}
    assert models.hotbed.default_prompt_name is models.st.default_prompt_name is None
    models.agree()


def test_a_module_that_hotbed_does_not_run(
    tmp_path: Path, modules: Any, transformer: Make, st: Make, hb: Callable[..., Embedder]
) -> None:
    """hotbed refuses modules it does not know by name; sentence-transformers runs them."""
    package = importlib.import_module("sentence_transformers")
    first = transformer()
    words = first.tokenizer.convert_ids_to_tokens(range(len(first.tokenizer)))
    weights = modules.WordWeights(words, {"dog": 2.0})
    model = package.SentenceTransformer(modules=[first, weights, modules.Pooling(32)], device="cpu")
    model.save_pretrained(str(tmp_path / "saved"), create_model_card=False)
    assert st(tmp_path / "saved").encode("a dog").shape == (32,)
    with pytest.raises(UnsupportedModelError, match="WordWeights"):
        hb(tmp_path / "saved")


def test_another_kind_of_model(tmp_path: Path, st: Make, hb: Callable[..., Embedder]) -> None:
    """hotbed refuses a folder of another model type; sentence-transformers pools it by mean."""
    folder = build_tiny(tmp_path / "tiny", pooling={"pooling_mode": "cls"})
    edit(folder / "config_sentence_transformers.json", model_type="SparseEncoder")
    assert st(folder)[1].pooling_mode == "mean"
    with pytest.raises(UnsupportedModelError, match="SparseEncoder"):
        hb(folder)
