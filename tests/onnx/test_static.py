"""Static embeddings: the graph beside its numpy reference, and ``hotbed.load`` from end to end."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import hotbed
from hotbed.errors import CorruptFileError, HotbedWarning, UnsupportedModelError
from hotbed.fidelity import compare_vectors
from hotbed.testing.tiny import SPECIAL, WORDS
from hotbed.testing.tiny_families import TINY, build_family
from hotbed.testing.tiny_static import static_config, static_tensors
from tests.onnx.family import PROFILES, assert_equal_to_the_reference
from tests.onnx.reference import build

TOKENS = static_config()["vocab_size"]
FORMS = [(name, form) for name in ("static", "model2vec") for form in TINY[name].dialects]


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize(("family", "dialect"), FORMS)
@pytest.mark.parametrize("heads", [(), ("Normalize",), ("Dense", "LayerNorm")], ids=str)
def test_a_graph_gives_the_references_vectors(
    tmp_path: Path, family: str, dialect: str, heads: tuple[str, ...], profile: str
) -> None:
    """Every form of the table, with and without heads, on every kind of batch."""
    folder = build_family(tmp_path / "m", family, dialect=dialect, heads=heads)
    assert_equal_to_the_reference(folder, profile, longest=30, config=TINY[family].config())


@pytest.mark.parametrize(("family", "dialect"), FORMS)
def test_a_vector_is_the_mean_of_rows(tmp_path: Path, family: str, dialect: str) -> None:
    """Worked out by hand from the table; an empty text gives zeros."""
    folder = build_family(tmp_path / "m", family, dialect=dialect, heads=())
    found = hotbed.load(folder).encode(["the cat cat", ""])
    tensors = static_tensors(static_config(), dialect=dialect)
    rows = tensors["embedding.weight" if family == "static" else "embeddings"]
    mapping = tensors.get("mapping", np.arange(len(rows)))
    weights = tensors.get("weights", np.ones(len(mapping), np.float32))
    ids = [4, 6, 6]
    wanted = (rows[mapping[ids]] * weights[ids][:, None]).mean(axis=0)
    np.testing.assert_allclose(found[0], wanted, rtol=1e-5)
    np.testing.assert_array_equal(found[1], 0)


def test_a_quantised_vocabulary_stays_small(tmp_path: Path) -> None:
    """Tokens share rows in the graph as in the file."""
    onnx = importlib.import_module("onnx")
    folder = build_family(tmp_path / "m", "model2vec", dialect="quantised")
    graph = onnx.load(build(folder, "portable")).graph
    shapes = {item.name: list(item.dims) for item in graph.initializer}
    assert shapes["embedding.weight"] == [TOKENS // 3, 16]
    assert shapes["mapping"] == shapes["weights"] == [TOKENS]


def test_batches_are_larger_than_a_transformers(tmp_path: Path) -> None:
    """The graph names its token budget; a transformer's names none."""
    table = hotbed.load(build_family(tmp_path / "m", "static")).loaded
    transformer = hotbed.load(build_family(tmp_path / "b", "bert")).loaded
    assert table.token_budget == 2048
    assert transformer.token_budget == 512


def test_load_with_prompts_and_limits(tmp_path: Path) -> None:
    """Prompts are put in front, tokens are limited, and rows do not depend on their batch."""
    folder = build_family(tmp_path / "m", "static", prompts={"query": "bake the "})
    model = hotbed.load(folder)
    np.testing.assert_array_equal(model.encode_query("bread"), model.encode("bake the bread"))
    assert model.max_seq_length == 6
    model.max_seq_length = 2
    with pytest.warns(HotbedWarning, match="longer than 2 tokens"):
        cut = model.encode("the cat sleeps")
    np.testing.assert_array_equal(cut, model.encode("the cat"))
    assert model.count_tokens("the cat sleeps").tolist() == [3]


def test_a_text_is_cut_at_characters_first(tmp_path: Path) -> None:
    """As in model2vec: the limit times the median length of a token, before tokenising."""
    folder = build_family(tmp_path / "m", "model2vec", config={"max_length": 2})
    model = hotbed.load(folder)
    kept = 2 * int(np.median([len(word) for word in (*SPECIAL, *WORDS)]))
    text = "a" + " " * (kept - 2) + "cat"
    with pytest.warns(HotbedWarning, match="longer than 2 tokens"):
        np.testing.assert_array_equal(model.encode(text), model.encode("a"))


def test_nothing_beside_nothing_is_agreement() -> None:
    """Two zero vectors are the same; a zero vector beside another is not."""
    some, zero = np.ones((1, 3)), np.zeros((1, 3))
    assert compare_vectors(zero, zero).lowest == 1
    assert compare_vectors(some, zero).lowest == compare_vectors(zero, some).lowest == 0


def _tensors(folder: Path, **changes: Any) -> None:
    files = importlib.import_module("safetensors.numpy")
    tensors = files.load_file(folder / "model.safetensors") | changes
    kept = {name: value for name, value in tensors.items() if value is not None}
    files.save_file(kept, folder / "model.safetensors")


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        (
            {"mapping": np.full(TOKENS, 14)},
            CorruptFileError,
            r"rows 14 to 14, and the table has 14",
        ),
        ({"mapping": np.full(TOKENS, -1)}, CorruptFileError, r"rows -1 to -1"),
        (
            {"mapping": np.zeros(TOKENS, np.float32)},
            CorruptFileError,
            r"stored as F32; whole numbers",
        ),
        (
            {"mapping": np.zeros((TOKENS, 1), int)},
            CorruptFileError,
            r"mapping has the shape \(44, 1\)",
        ),
        ({"weights": np.full(TOKENS, np.nan, np.float32)}, CorruptFileError, r"NaN or infinity"),
        ({"embeddings": None}, CorruptFileError, r"embedding\.weight or embeddings; it holds none"),
        ({"embeddings": np.ones(3, np.float32)}, CorruptFileError, r"its shape is \(3,\)"),
        ({"embeddings": np.ones((14, 4))}, UnsupportedModelError, r"stored as F64"),
        ({"embedding_extra": np.ones(2, np.float32)}, CorruptFileError, r"embedding_extra"),
    ],
    ids=str,
)
def test_tensors_that_do_not_fit(
    tmp_path: Path, changes: dict[str, Any], error: type[Exception], message: str
) -> None:
    """What is wrong with which tensor is said before anything is published."""
    folder = build_family(tmp_path / "m", "model2vec", dialect="quantised")
    _tensors(folder, **changes)
    with pytest.raises(error, match=message):
        build(folder, "cpu")
