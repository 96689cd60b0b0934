"""Static embeddings against the libraries that write them: sentence-transformers and model2vec."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from hotbed import Embedder
from hotbed.testing import build_tiny
from hotbed.testing.tiny import TEXTS
from hotbed.testing.tiny_families import build_family
from tests.oracle.ledger import LEDGER
from tests.oracle.pair import CUT, Pair

pytestmark = pytest.mark.filterwarnings(CUT)

MANY = [*TEXTS, "☃ ☃", "cat " * 700, "unfathomablywide " * 300, "the cat ☃ " * 200]
"""Nothing but unknown tokens, more than model2vec's 512 tokens, and long words."""

WIDTH = 12


@pytest.fixture
def tokenizer(tmp_path: Path) -> Any:
    """The tiny tokenizer, whose file carries padding to 24 tokens and truncation to 6."""
    folder = build_tiny(tmp_path / "tokenizer")
    return importlib.import_module("tokenizers").Tokenizer.from_file(str(folder / "tokenizer.json"))


@pytest.fixture(scope="session")
def model2vec(required: frozenset[str]) -> Any:
    """The library, where it is installed; ``HOTBED_REQUIRE=model2vec`` makes its absence fail."""
    if "model2vec" in required:
        return importlib.import_module("model2vec")
    return pytest.importorskip("model2vec")


def table(tokenizer: Any, dtype: Any = np.float32, seed: int = 0) -> NDArray[Any]:
    """A random row for every token."""
    rng = np.random.default_rng(seed)
    return rng.normal(size=(tokenizer.get_vocab_size(), WIDTH)).astype(dtype)


@pytest.mark.parametrize("after", [(), ("Normalize",), ("Dense", "Normalize"), ("Dense",)], ids=str)
def test_saved_by_sentence_transformers(
    tmp_path: Path, tokenizer: Any, torch: Any, pair: Callable[..., Pair], after: tuple[str, ...]
) -> None:
    """A folder that sentence-transformers writes gives its vectors, whatever follows the table."""
    package = importlib.import_module("sentence_transformers")
    modules = importlib.import_module("sentence_transformers.sentence_transformer.modules")
    first = modules.StaticEmbedding(tokenizer, embedding_weights=table(tokenizer))
    made = {"Dense": lambda: modules.Dense(WIDTH, 7), "Normalize": modules.Normalize}
    parts = [first, *(made[name]() for name in after)]
    model = package.SentenceTransformer(modules=parts, device="cpu", prompts={"query": "bake the "})
    model.save_pretrained(str(tmp_path / "m"), create_model_card=False)
    both = pair(tmp_path / "m")
    both.agree(MANY)
    both.agree(MANY, method="encode_query")
    both.agree("bread", truncate_dim=5, normalize_embeddings=True)


@pytest.mark.parametrize("place", ["", "0_StaticEmbedding"])
@pytest.mark.parametrize("seed", [1, 2])
def test_folders_of_older_versions(
    tmp_path: Path, pair: Callable[..., Pair], place: str, seed: int
) -> None:
    """The module may lie in a folder of its own."""
    pair(build_family(tmp_path / "m", "static", place=place, seed=seed)).agree(MANY)


@pytest.mark.parametrize("normalize", [True, False])
@pytest.mark.parametrize("limit", [512, 5, None])
@pytest.mark.parametrize("dtype", ["float32", "float16", "int8"])
def test_saved_by_model2vec(
    tmp_path: Path,
    tokenizer: Any,
    model2vec: Any,
    hb: Callable[..., Embedder],
    normalize: bool,
    limit: int | None,
    dtype: str,
) -> None:
    """A folder that model2vec writes gives its vectors: unknown tokens dropped, long texts cut."""
    rows = table(tokenizer) * 40 if dtype == "int8" else table(tokenizer)
    model = model2vec.StaticModel(
        rows.astype(dtype), tokenizer, normalize=normalize, max_length=limit
    )
    _assert_same(tmp_path / "m", model, hb)


@pytest.mark.parametrize("rows", [5, 20])
def test_a_quantised_vocabulary(
    tmp_path: Path, tokenizer: Any, model2vec: Any, hb: Callable[..., Embedder], rows: int
) -> None:
    """Tokens that share rows, each with its weight, give model2vec's vectors."""
    rng, tokens = np.random.default_rng(0), tokenizer.get_vocab_size()
    model = model2vec.StaticModel(
        table(tokenizer)[:rows],
        tokenizer,
        weights=rng.uniform(0.1, 2, tokens).astype(np.float32),
        token_mapping=rng.integers(0, rows, tokens),
    )
    _assert_same(tmp_path / "m", model, hb)


def test_a_unigram_tokenizer(tmp_path: Path, model2vec: Any, hb: Callable[..., Embedder]) -> None:
    """A tokenizer that gives its unknown token by number, as SentencePiece's do."""
    tokenizers = importlib.import_module("tokenizers")
    scores = [("<pad>", 0.0), ("<unk>", 0.0), *(("▁" + word, -1.0) for word in ("the", "cat"))]
    tokenizer = tokenizers.Tokenizer(tokenizers.models.Unigram(scores, unk_id=1))
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.Metaspace()
    model = model2vec.StaticModel(table(tokenizer), tokenizer, normalize=True)
    _assert_same(tmp_path / "m", model, hb)


def test_without_modules_json(
    tmp_path: Path, tokenizer: Any, model2vec: Any, hb: Callable[..., Embedder]
) -> None:
    """model2vec's first versions wrote no ``modules.json``."""
    config = {"model_type": "model2vec"}
    model = model2vec.StaticModel(table(tokenizer), tokenizer, config=config, normalize=True)
    model.save_pretrained(tmp_path / "m")
    (tmp_path / "m" / "modules.json").unlink()
    _assert_same(tmp_path / "m", model, hb, write=False)


def test_a_folder_of_model2vec_in_sentence_transformers(
    tmp_path: Path, tokenizer: Any, model2vec: Any, pair: Callable[..., Pair]
) -> None:
    """An unknown token counts in sentence-transformers; model2vec and hotbed leave it out.

    Where no token is unknown and no text long, all three agree.
    """
    model = model2vec.StaticModel(table(tokenizer), tokenizer, normalize=True)
    model.save_pretrained(tmp_path / "m")
    both = pair(tmp_path / "m")
    both.agree(["the small cat sleeps", "bread", ""])
    unknown = ["the ☃ cat"]
    np.testing.assert_allclose(both.hotbed.encode(unknown), model.encode(unknown), atol=1e-5)
    assert not np.allclose(both.st.encode(unknown), model.encode(unknown), atol=1e-2)


def test_truncated_texts_are_counted(
    tmp_path: Path, tokenizer: Any, model2vec: Any, hb: Callable[..., Embedder]
) -> None:
    """Texts cut at characters or at tokens are told of, those with unknown tokens are not."""
    model = model2vec.StaticModel(table(tokenizer), tokenizer, max_length=4)
    model.save_pretrained(tmp_path / "m")
    embedder = hb(tmp_path / "m")
    embedder.encode(["the cat", "☃ ☃ ☃ ☃", "the cat sleeps under the tree", "s" * 400])
    assert embedder.last_truncated == 2


def _assert_same(
    folder: Path, model: Any, hb: Callable[..., Embedder], *, write: bool = True
) -> None:
    if write:
        model.save_pretrained(folder)
    expected = importlib.import_module("model2vec").StaticModel.from_pretrained(folder)
    wanted = np.asarray(expected.encode(MANY), dtype=np.float32)
    within = 2e-3 if model.embedding_dtype == "float16" else 1e-5
    opened = hb(folder)
    found = opened.encode(MANY)
    np.testing.assert_allclose(found, wanted, rtol=within, atol=within)
    if within == 1e-5:  # model2vec adds float16 in float16
        LEDGER.note_texts(opened.folder.family, wanted, found)
