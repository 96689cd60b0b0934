"""Graphs of somebody else's for which padding is never made, because it would change vectors."""

from __future__ import annotations

import importlib
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import hotbed
from hotbed import Embedder
from hotbed.testing import TEXTS, build_tiny
from hotbed.testing.tiny import SPECIAL, WORDS
from tests.onnx.graphs import as_model_folder

onnx = importlib.import_module("onnx")
TensorProto, helper, numpy_helper = onnx.TensorProto, onnx.helper, onnx.numpy_helper

pytestmark = pytest.mark.filterwarnings("ignore::hotbed.HotbedWarning")

_ROWS, _WIDTH = len(SPECIAL) + len(WORDS), 8


def node(kind: str, inputs: str, output: str, **attributes: Any) -> Any:
    """A node, its inputs in one string."""
    return helper.make_node(kind, inputs.split(), [output], **attributes)


MIXED = [
    node("Gather", "table input_ids", "rows"),
    node("ReduceMean", "rows axis", "mean", keepdims=1),
    node("Add", "rows mean", "mixed"),
]
"""Every token gets the mean over all tokens, padding included, as a model without a mask does."""

MASKED = [
    node("Gather", "table input_ids", "rows"),
    node("Cast", "attention_mask", "mask", to=TensorProto.FLOAT),
    node("Unsqueeze", "mask last", "columns"),
    node("Mul", "rows columns", "real"),
    node("ReduceSum", "real axis", "sum", keepdims=1),
    node("ReduceSum", "columns axis", "count", keepdims=1),
    node("Div", "sum count", "mean"),
    node("Add", "rows mean", "mixed"),
]
"""The same over the tokens that the mask names."""

OWN_MASK = [
    node("Cast", "input_ids", "mask", to=TensorProto.BOOL),  # the padding token is number 0
    node("Cast", "mask", "ones", to=TensorProto.INT64),
    *[
        helper.make_node(n.op_type, ["ones" if i == "attention_mask" else i for i in n.input],
                         ["mask2" if o == "mask" else o for o in n.output],
                         **{a.name: helper.get_attribute_value(a) for a in n.attribute})
        for n in MASKED
    ],
]  # fmt: skip
for one in OWN_MASK[2:]:
    for place, name in enumerate(one.input):
        if name == "mask":
            one.input[place] = "mask2"

TOKENS = node("Identity", "mixed", "last_hidden_state")
POOLED = node("ReduceMean", "mixed axis", "sentence_embedding", keepdims=0)
UNUSED = [node("Cast", "attention_mask", "unused", to=TensorProto.FLOAT)]
SCALE = [
    node("Cast", "attention_mask", "m", to=TensorProto.FLOAT),
    node("ReduceMax", "m", "scale", keepdims=0),
    node("Mul", "mixed scale", "scaled"),
    node("Identity", "scaled", "last_hidden_state"),
]
"""The mask reaches the output, and masks nothing."""

GRAPHS: dict[str, tuple[tuple[str, ...], list[Any], int]] = {
    "no mask": (("input_ids",), [*MIXED, TOKENS], 3),
    "no mask, token types": (("input_ids", "token_type_ids"), [*MIXED, TOKENS], 3),
    "a mask that nothing reads": (("input_ids", "attention_mask"), [*MIXED, TOKENS], 3),
    "a mask that leads nowhere": (("input_ids", "attention_mask"), [*MIXED, *UNUSED, TOKENS], 3),
    "a mask that masks nothing": (("input_ids", "attention_mask"), [*MIXED, *SCALE], 3),
    "a mask that pooling forgets": (("input_ids", "attention_mask"), [*MASKED, POOLED], 2),
    "pooled, no mask": (("input_ids",), [*MIXED, POOLED], 2),
    "a mask of its own": (("input_ids",), [*OWN_MASK, TOKENS], 3),
}


def folder_of(folder: Path, kind: str, **more: Any) -> Path:
    """A model folder with one such graph."""
    inputs, nodes, rank = GRAPHS[kind]
    build_tiny(folder, heads=(), **more)
    table = np.random.default_rng(0).normal(size=(_ROWS, _WIDTH)).astype(np.float32)
    constants = [
        numpy_helper.from_array(table, "table"),
        numpy_helper.from_array(np.array([1]), "axis"),
        numpy_helper.from_array(np.array([2]), "last"),
    ]
    axes = ["batch", "tokens"]
    ends = [helper.make_tensor_value_info(name, TensorProto.INT64, axes) for name in inputs]
    shape = [*axes, _WIDTH] if rank == 3 else ["batch", _WIDTH]
    name = nodes[-1].output[0]
    output = helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
    graph = helper.make_graph(nodes, "small", ends, [output], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    path = as_model_folder(folder)
    path.parent.mkdir(parents=True, exist_ok=True)
    onnx.save(model, path)
    return folder


def alone(model: Embedder, **options: Any) -> Any:
    """Each text in a batch of its own."""
    return [model.encode(text, **options) for text in TEXTS]


def streamed(model: Embedder) -> Any:
    """The texts through an iterator."""
    return np.stack(list(model.encode(iter(TEXTS))))


def several(model: Embedder) -> Any:
    """The texts by the names of their outputs."""
    return model.encode(list(TEXTS), outputs=("dense",))["dense"]


def pickled(model: Embedder) -> Any:
    """The texts in what comes out of a pickle."""
    with pickle.loads(pickle.dumps(model)) as again:
        return again.encode(list(TEXTS))


WAYS: tuple[Callable[[Embedder], Any], ...] = (
    lambda model: model.encode(list(TEXTS)),
    lambda model: model.encode(list(TEXTS), batch_size=3),
    streamed,
    several,
    pickled,
)


@pytest.mark.parametrize("kind", GRAPHS)
def test_a_text_has_the_vector_that_it_has_alone(tmp_path: Path, kind: str) -> None:
    """Whatever a graph makes of padding: batches hold one length, and why() says so."""
    with hotbed.load(folder_of(tmp_path / "m", kind)) as model:
        wanted = np.stack(alone(model))
        for way in WAYS:
            np.testing.assert_allclose(way(model), wanted, atol=1e-6)
        assert model.loaded.masks_padding is False
        assert "texts of one length" in model.why()
        model.max_seq_length = 5
        np.testing.assert_allclose(model.encode(list(TEXTS)), alone(model), atol=1e-6)


def test_tokens_have_the_vectors_that_they_have_alone(tmp_path: Path) -> None:
    """Token outputs come from unpadded batches as well, left padding included."""
    with hotbed.load(folder_of(tmp_path / "m", "no mask")) as model:
        wanted = alone(model, output_value="token_embeddings")
        found = model.encode(list(TEXTS), output_value="token_embeddings")
        for one, other in zip(found, wanted, strict=True):
            np.testing.assert_allclose(one, other, atol=1e-6)


def test_a_graph_that_obeys_its_mask_is_padded(
    tmp_path: Path, calls: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is measured to be sound keeps its batches."""
    monkeypatch.setitem(GRAPHS, "sound", (("input_ids", "attention_mask"), [*MASKED, TOKENS], 3))
    with hotbed.load(folder_of(tmp_path / "m", "sound")) as model:
        assert model.loaded.masks_padding is True
        assert "texts of one length" not in model.why()
        calls.clear()
        model.encode(["bread", "the cat sleeps", "a dog"])
        assert [call[1] for call in calls if call[0] == "embed"] == [3]


def test_two_forms_without_a_mask_are_compared_without_padding(tmp_path: Path) -> None:
    """validate() finds a mask-less graph equal to itself, and the search for batches runs it."""
    folder = folder_of(tmp_path / "m", "no mask")
    found = hotbed.validate(folder, folder)
    assert found.fidelity.lowest > 0.999999
