"""BGE-M3's dense, sparse and ColBERT outputs: the graph, and ``encode(outputs=...)``."""

from __future__ import annotations

import importlib
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from attrs import evolve

import hotbed
from hotbed.backends import ConvertTarget
from hotbed.conversion import convert_into, read_records
from hotbed.errors import CorruptFileError, FidelityError, UnsupportedModelError, UsageError
from hotbed.inference.token_outputs import SparseVector
from hotbed.loading import default_house
from hotbed.models import read_folder
from hotbed.reference import m3, token_embeddings
from hotbed.testing import TEXTS, build_tiny
from hotbed.testing.tiny_batches import KINDS, make_batch
from hotbed.testing.tiny_m3 import build_m3, save_torch
from tests.onnx.family import PROFILES
from tests.onnx.reference import build, open_graph, token_batch

pytestmark = pytest.mark.filterwarnings("ignore:.* texts are longer than:hotbed.HotbedWarning")

ALL = ("dense", "sparse", "colbert")
CLS, SEP, PAD, UNK = 0, 2, 1, 3


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A tiny BGE-M3."""
    return build_m3(tmp_path / "m3")


@pytest.fixture
def model(folder: Path) -> hotbed.Embedder:
    """The same, open."""
    return hotbed.load(folder)


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("kind", KINDS)
def test_the_graph_gives_the_references_numbers(folder: Path, profile: str, kind: str) -> None:
    """Every kind of batch, padding included: weights and vectors there are 0."""
    loaded = open_graph(build(folder, profile))
    assert loaded.outputs == ("sentence_embedding", "token_embeddings", "sparse", "colbert")
    config = read_folder(folder).config
    batch = make_batch(kind, vocab=config["vocab_size"], longest=30, pad_id=PAD)
    engine = importlib.import_module("hotbed_onnx.model")
    found = engine.run(loaded.handle, batch, ("sparse", "colbert"), 1)
    wanted = m3.token_outputs(folder, token_embeddings(folder, batch), batch)
    for name in ("sparse", "colbert"):
        np.testing.assert_allclose(found[name], wanted[name], atol=2e-5, err_msg=name)
        assert (found[name][batch.attention_mask == 0] == 0).all()


def test_one_pass_gives_all(folder: Path, calls: list[Any], recorder_site: Path) -> None:
    """Three outputs cost as many calls of the engine as one."""
    model = hotbed.load(folder)
    calls.clear()
    model.encode(list(TEXTS))
    alone = [call for call in calls if call[0] == "embed"]
    calls.clear()
    found = model.encode(list(TEXTS), outputs=ALL)
    assert [call for call in calls if call[0] == "embed"] == alone
    assert list(found) == list(ALL)


def test_what_each_output_is(folder: Path, model: hotbed.Embedder) -> None:
    """Shapes and numbers, worked out from the reference text by text."""
    found = model.encode(list(TEXTS), outputs=ALL)
    np.testing.assert_array_equal(found["dense"], model.encode(list(TEXTS)))
    batch = token_batch(folder)
    wanted = m3.token_outputs(folder, token_embeddings(folder, batch), batch)
    for row, (sparse, colbert) in enumerate(zip(found["sparse"], found["colbert"], strict=True)):
        count = int(batch.attention_mask[row].sum())
        assert colbert.shape == (count - 1, 24)
        assert colbert.dtype == np.float32
        np.testing.assert_allclose(colbert, wanted["colbert"][row, 1:count], atol=2e-5)
        best: dict[int, float] = {}
        pairs = zip(batch.input_ids[row].tolist(), wanted["sparse"][row].tolist(), strict=True)
        for token, weight in pairs:
            # The tiny tokenizer names no eos_token, so [SEP] counts, as FlagEmbedding has it.
            if token not in (CLS, PAD, UNK) and weight > max(0.0, best.get(token, 0.0)):
                best[token] = weight
        assert sparse.as_dict() == pytest.approx(best, abs=2e-5)
        assert (np.diff(sparse.indices) > 0).all()
        assert (sparse.values > 0).all()
        assert (sparse.indices.dtype, sparse.values.dtype) == (np.int64, np.float32)


def test_xlm_robertas_own_special_tokens_are_left_out(tmp_path: Path) -> None:
    """Names that the configuration leaves out are those of the class, as bge-m3's own file may."""
    left_out = importlib.import_module("hotbed.inference.token_outputs").left_out
    tokenizers = importlib.import_module("tokenizers")
    vocabulary = {word: i for i, word in enumerate(("<s>", "<pad>", "</s>", "<unk>", "a", "[E]"))}
    backend = tokenizers.Tokenizer(tokenizers.models.WordLevel(vocabulary, "<unk>"))
    assert left_out({"tokenizer_class": "XLMRobertaTokenizer"}, backend).tolist() == [0, 1, 2, 3]
    own = {"tokenizer_class": "XLMRobertaTokenizerFast", "eos_token": {"content": "[E]"}}
    assert left_out(own, backend).tolist() == [0, 1, 3, 5]
    assert left_out({"cls_token": "a"}, backend).tolist() == [4]


def test_one_text_a_list_and_a_stream(model: hotbed.Embedder) -> None:
    """One text gives one of each; an empty list none; an iterator a dict a text."""
    one = model.encode("the cat", outputs=ALL)
    assert one["dense"].shape == (32,)
    assert isinstance(one["sparse"], SparseVector)
    assert one["colbert"].shape == (3, 24)
    nothing = model.encode([], outputs=ALL)
    assert (nothing["dense"].shape, nothing["sparse"], nothing["colbert"]) == ((0, 32), [], [])
    rows = list(model.encode(iter(["the cat", "a dog runs"]), outputs=ALL))
    whole = model.encode(["the cat", "a dog runs"], outputs=ALL)
    for row, values in enumerate(rows):
        np.testing.assert_array_equal(values["dense"], whole["dense"][row])
        assert values["sparse"].as_dict() == whole["sparse"][row].as_dict()
        np.testing.assert_array_equal(values["colbert"], whole["colbert"][row])


def test_queries_documents_and_further_options(model: hotbed.Embedder) -> None:
    """``outputs`` goes with every method, and the dense vectors obey the other options."""
    found = model.encode_query(["bread"] * 2, outputs=("sparse", "dense"), truncate_dim=8)
    assert list(found) == ["sparse", "dense"]
    assert found["dense"].shape == (2, 8)
    packed = model.encode(["bread"], outputs=("dense",), precision="ubinary")["dense"]
    assert packed.dtype == np.uint8
    assert isinstance(model.encode(["x"], outputs=ALL, convert_to_numpy=False)["dense"], list)


def test_many_texts_in_lanes_and_windows(folder: Path) -> None:
    """Order is kept over thousands of texts of mixed lengths."""
    model = hotbed.load(folder, threads=2)
    texts = [text for text in TEXTS if text] * 1300
    found = model.encode(texts, outputs=ALL)
    few = model.encode(texts[:7], outputs=ALL)
    for row in (0, 3, 4001, len(texts) - 1):
        np.testing.assert_allclose(found["dense"][row], few["dense"][row % 7], atol=1e-5)
        np.testing.assert_allclose(found["colbert"][row], few["colbert"][row % 7], atol=1e-5)
        assert found["sparse"][row].as_dict() == pytest.approx(
            few["sparse"][row % 7].as_dict(), abs=1e-5
        )


def test_truncation_is_told(model: hotbed.Embedder) -> None:
    """As in every other call."""
    model.encode(["cat " * 40, "cat"], outputs=("sparse",))
    assert model.last_truncated == 1


def test_a_lexical_score() -> None:
    """The sum of products over the tokens that both texts have."""
    a = SparseVector(indices=np.array([1, 4, 9]), values=np.array([1, 2, 3], np.float32))
    b = SparseVector(indices=np.array([4, 5, 9]), values=np.array([0.5, 8, 2], np.float32))
    assert a.dot(b) == b.dot(a) == 7.0
    assert len(a) == 3
    assert a.as_object()["indices"].tolist() == [1, 4, 9]


@pytest.mark.parametrize("outputs", [("lexical",), (), "sparse", ("dense", "tokens")], ids=str)
def test_an_unknown_output_is_refused(model: hotbed.Embedder, outputs: Any) -> None:
    """The names that there are stand in the error; a lone string is a forgotten comma."""
    with pytest.raises(UsageError, match=r"give a tuple of dense, sparse, colbert"):
        model.encode("x", outputs=outputs)


def test_contradictory_options_are_refused(model: hotbed.Embedder) -> None:
    """Two ways to ask for other things, and integers without dense vectors."""
    with pytest.raises(UsageError, match=r"ask for different things"):
        model.encode("x", outputs=ALL, output_value="token_embeddings")
    with pytest.raises(UsageError, match=r"precision='int8' is for 'dense'"):
        model.encode(["x"], outputs=("sparse",), precision="int8")


def test_a_model_without_heads_says_what_it_gives(tmp_path: Path) -> None:
    """Nothing is made up: the error names what is offered and the file that is not there."""
    model = hotbed.load(build_tiny(tmp_path / "m"))
    assert model.encode("x", outputs=("dense",))["dense"].shape == (32,)
    with pytest.raises(UsageError, match=r"gives dense, and not sparse;.* no sparse_linear\.pt"):
        model.encode("x", outputs=("dense", "sparse"))


def test_a_graph_that_stops_short_says_what_to_do(folder: Path, tmp_path: Path) -> None:
    """A graph without the outputs, beside a folder that has the heads: convert."""
    plain = tmp_path / "plain"
    shutil.copytree(folder, plain)
    for file in plain.glob("*.pt"):
        file.unlink()
    (folder / "onnx").mkdir()
    build(plain, "portable").rename(folder / "onnx" / "model.onnx")
    (folder / "model.safetensors").unlink()
    with pytest.raises(UsageError, match=r"onnx_cpu does not give it, though .*convert the model"):
        hotbed.load(folder).encode("x", outputs=("colbert",))


def test_one_head_alone(folder: Path) -> None:
    """A folder with one of the files offers that output."""
    (folder / "colbert_linear.pt").unlink()
    model = hotbed.load(folder)
    assert "sparse" in model.encode("x", outputs=("sparse",))
    with pytest.raises(UsageError, match=r"gives dense, sparse, and not colbert"):
        model.encode("x", outputs=ALL)


def test_another_head_is_another_graph(folder: Path) -> None:
    """The heads are among the files that a cached graph is known by."""
    first = hotbed.load(folder).encode("the cat", outputs=("colbert",))["colbert"]
    other = build_m3(folder.with_name("other"), seed=5)
    shutil.copyfile(other / "colbert_linear.pt", folder / "colbert_linear.pt")
    second = hotbed.load(folder).encode("the cat", outputs=("colbert",))["colbert"]
    assert not np.allclose(first, second)


def test_a_converted_folder_needs_no_pickle(folder: Path, tmp_path: Path) -> None:
    """The portable file holds the heads; the pickles are not carried along."""
    commands = importlib.import_module("hotbed.cli.app")
    runner = importlib.import_module("typer.testing").CliRunner()
    out = tmp_path / "out"
    result = runner.invoke(commands.app, ["convert", str(folder), "--out", str(out)])
    assert result.exit_code == 0, result.output
    assert list(out.rglob("*.pt")) == []
    found = hotbed.load(out).encode(["the cat"], outputs=ALL)
    wanted = hotbed.load(folder).encode(["the cat"], outputs=ALL)
    np.testing.assert_allclose(found["colbert"][0], wanted["colbert"][0], atol=1e-5)


@pytest.mark.parametrize(
    ("tensors", "error", "message"),
    [
        ({"weight": np.ones((1, 32), "f4")}, CorruptFileError, r"holds weight; a linear layer's"),
        (
            {"weight": np.ones((1, 9), "f4"), "bias": np.ones(1, "f4")},
            CorruptFileError,
            r"shape \(1, 9\).*32 numbers a token",
        ),
        (
            {"weight": np.ones((2, 32), "f4"), "bias": np.ones(2, "f4")},
            CorruptFileError,
            r"\(1, 32\) and \(1,\) are expected",
        ),
        (
            {"weight": np.full((1, 32), np.nan, "f4"), "bias": np.ones(1, "f4")},
            CorruptFileError,
            r"'weight' holds NaN",
        ),
    ],
    ids=["one", "width", "rows", "nan"],
)
def test_a_head_that_does_not_fit(
    folder: Path, tensors: dict[str, Any], error: type[Exception], message: str
) -> None:
    """What is wrong with which file is said before a graph is written."""
    save_torch(folder / "sparse_linear.pt", tensors)
    with pytest.raises(error, match=message):
        build(folder, "cpu")


def test_a_hostile_head_is_refused(folder: Path, tmp_path: Path) -> None:
    """Loading such a model runs nothing."""
    target = tmp_path / "ran"
    evil = b"cos\nsystem\n(X" + len(f"touch {target}").to_bytes(4, "little")
    evil += f"touch {target}".encode() + b"tR."
    zipfile = importlib.import_module("zipfile")
    with zipfile.ZipFile(folder / "sparse_linear.pt", "w") as archive:
        archive.writestr("x/data.pkl", evil)
    with pytest.raises(UnsupportedModelError, match=r"the name 'os\.system'"):
        hotbed.load(folder)
    assert not target.exists()


@pytest.mark.parametrize("spoilt", ["sparse", "colbert"])
def test_the_gate_compares_every_output(
    folder: Path, tmp_path: Path, spoilt: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A graph whose dense vectors are right is refused for a wrong further head."""
    heads = importlib.import_module("hotbed_onnx.architectures.m3")
    honest = heads.read_linear

    def read_linear(path: Path, *shape: int) -> Any:
        layer = honest(path, *shape)
        weight = layer.weight.copy()
        weight[:, ::2] *= 1.5
        return evolve(layer, weight=weight) if path.name.startswith(spoilt) else layer

    house = default_house()
    model = house.read(house.locate(str(folder)))
    engine = house.engine("onnx_cpu")
    made = convert_into(engine, model, ConvertTarget(), tmp_path / "right", house.gate())
    (report,) = made.reports
    assert {name: round(head.lowest, 5) for name, head in report.heads.items()} == {
        "sparse": 1.0,
        "colbert": 1.0,
    }
    assert read_records(made.path)[0].reports == made.reports
    monkeypatch.setattr(heads, "read_linear", read_linear)
    with pytest.raises(FidelityError, match=rf"refused: {spoilt} lowest cosine 0\.\d+"):
        convert_into(engine, model, ConvertTarget(), tmp_path / "wrong", house.gate())
    assert not (tmp_path / "wrong").exists()
