"""NaN and infinity never leave ``encode`` unnoticed."""

from __future__ import annotations

import importlib
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import hotbed
from hotbed import Embedder, HotbedWarning
from hotbed.errors import NonFiniteError
from hotbed.inference.finite import is_finite
from hotbed.inference.token_outputs import sparse_of
from hotbed.testing import build_tiny
from hotbed.testing.tiny import SPECIAL, WORDS
from tests.onnx.graphs import as_model_folder

onnx = importlib.import_module("onnx")

SPOILT = "bread"
"""The word whose row of the table holds the number that is not finite."""

TEXTS = ["a cat", "the dog runs", f"the {SPOILT} runs", "a dog", SPOILT]


def folder_with(folder: Path, value: float, pooled: bool = False) -> Path:
    """A folder whose graph looks rows up, one of which holds the value."""
    helper, numpy_helper = onnx.helper, onnx.numpy_helper
    build_tiny(folder, heads=())
    table = np.random.default_rng(0).normal(size=(len(SPECIAL) + len(WORDS), 8))
    table[len(SPECIAL) + WORDS.index(SPOILT), 5] = value
    nodes = [
        helper.make_node("Gather", ["table", "input_ids"], ["last_hidden_state"]),
        helper.make_node("ReduceMean", ["last_hidden_state", "axis"], ["pooled"], keepdims=0),
    ]
    constants = [
        numpy_helper.from_array(table.astype(np.float32), "table"),
        numpy_helper.from_array(np.array([1]), "axis"),
    ]
    kind, floats = onnx.TensorProto.INT64, onnx.TensorProto.FLOAT
    inputs = [helper.make_tensor_value_info("input_ids", kind, ["b", "t"])]
    outputs = [helper.make_tensor_value_info("last_hidden_state", floats, ["b", "t", 8])]
    if pooled:
        outputs = [helper.make_tensor_value_info("pooled", floats, ["b", 8])]
    graph = helper.make_graph(nodes, "small", inputs, outputs, constants)
    opset = [helper.make_opsetid("", 18)]
    path = as_model_folder(folder)
    path.parent.mkdir(parents=True, exist_ok=True)
    onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=9), path)
    return folder


WAYS: dict[str, Any] = {
    "list": lambda model, texts: model.encode(texts),
    "normalized": lambda model, texts: model.encode(texts, normalize_embeddings=True),
    "cut": lambda model, texts: model.encode(texts, truncate_dim=2),
    "stream": lambda model, texts: list(model.encode(iter(texts))),
    "tokens": lambda model, texts: model.encode(texts, output_value="token_embeddings"),
    "everything": lambda model, texts: model.encode(texts, output_value=None),
    "outputs": lambda model, texts: model.encode(texts, outputs=("dense",)),
    "binary": lambda model, texts: model.encode(texts, precision="ubinary"),
    "query": lambda model, texts: model.encode_query(texts),
    "langchain": lambda model, texts: model.embed_documents(texts),
}


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("pooled", [False, True])
def test_the_texts_are_named(tmp_path: Path, value: float, pooled: bool) -> None:
    """Whatever is asked for, the error names the texts; what is sound is given as ever."""
    with hotbed.load(folder_with(tmp_path / "m", value, pooled)) as model:
        for name, way in WAYS.items():
            if pooled and name in ("tokens", "everything"):
                continue
            with pytest.raises(NonFiniteError, match=r"inputs\[2\], inputs\[4\] holds") as caught:
                way(model, TEXTS)
            assert caught.value.indices == (2, 4)
            way(model, TEXTS[:2])
        with pytest.raises(NonFiniteError, match=r"inputs\[0\]"):
            model.encode(SPOILT)


def test_the_index_is_that_of_the_whole_list(tmp_path: Path) -> None:
    """Texts are worked through by windows; indices count from the first text of all."""
    many = ["a cat"] * 9_000
    many[8_500] = SPOILT
    with hotbed.load(folder_with(tmp_path / "m", np.nan)) as model:
        for texts in (many, iter(many)):
            with pytest.raises(NonFiniteError) as caught:
                list(model.encode(texts))
            assert caught.value.indices == (8_500,)


def test_warn_and_allow_hand_them_out(tmp_path: Path) -> None:
    """Asked to, ``encode`` warns, or does not look; the other texts' vectors are the same."""
    folder = folder_with(tmp_path / "m", np.nan)
    with hotbed.load(folder, on_nonfinite="warn") as model:
        with pytest.warns(HotbedWarning, match=r"inputs\[2\]"):
            found = model.encode(TEXTS)
        assert np.flatnonzero(~np.isfinite(found).all(axis=1)).tolist() == [2, 4]
        scores = model.similarity(found, found)
        assert np.isnan(scores[2]).all()
        assert np.isfinite(scores[0, 1])
    with hotbed.load(folder, on_nonfinite="allow") as model, warnings.catch_warnings():
        warnings.simplefilter("error")
        assert _nan_rows(model) == [2, 4]


def _nan_rows(model: Embedder) -> list[int]:
    rows: list[int] = np.flatnonzero(np.isnan(model.encode(TEXTS)).any(axis=1)).tolist()
    return rows


def test_large_numbers_are_finite() -> None:
    """Squares that overflow are no sign of anything."""
    huge = np.full((3, 4), 3e38, np.float32)
    assert is_finite(huge)
    assert is_finite(huge[:, ::2])
    for value in (np.nan, np.inf, -np.inf):
        for place in range(12):
            spoilt = np.zeros((3, 4), np.float32)
            spoilt.flat[place] = value
            assert not is_finite(spoilt)
            assert not is_finite(spoilt.T)
    mixed = np.array([-np.inf, 3e38, 3e38], np.float32)
    assert not is_finite(mixed)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_sparse_weight_that_is_no_number_is_kept(value: float) -> None:
    """It is not dropped with the weights that are not above zero."""
    weights = np.array([0.5, value, -1.0], np.float32)
    found = sparse_of(np.array([5, 6, 7]), weights, np.array([0]))
    assert found.indices.tolist() == [5, 6]
    assert not np.isfinite(found.values[1])
