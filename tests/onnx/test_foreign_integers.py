"""Graphs of somebody else's whose weights are integers, whatever the file is called."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import hotbed
from hotbed.backends import Artifact, LoadOptions, Recipe
from hotbed.backends.engine import Engine
from hotbed.errors import HotbedError, UsageError
from hotbed.loading import default_house
from hotbed.models import read_folder
from hotbed.models.onnx_weights import integer_storage, takes_ranges_from_batches
from hotbed.testing import TEXTS, build_tiny
from hotbed.testing.tiny import SPECIAL, WORDS
from hotbed.testing.tiny_static import build_static, static_config
from tests.onnx.graphs import as_model_folder
from tests.onnx.quantisable import VOCABULARY, artifact_of, large_table, written

onnx = importlib.import_module("onnx")
pytestmark = pytest.mark.filterwarnings("ignore::hotbed.HotbedWarning")

ROWS, WIDTH = len(SPECIAL) + len(WORDS), 16


@pytest.fixture
def engine(isolated: None) -> Engine:
    """ONNX Runtime behind its hooks."""
    return default_house().engine("onnx_cpu")


def table(kind: str) -> Any:
    """Random rows of a type."""
    limits = {"int8": (-127, 128), "uint8": (0, 255)}.get(kind)
    rng = np.random.default_rng(0)
    if limits is None:
        return rng.normal(size=(ROWS, WIDTH)).astype(kind)
    return rng.integers(*limits, size=(ROWS, WIDTH), dtype=kind)


def folder_with(folder: Path, kind: str, name: str = "model.onnx", dynamic: bool = False) -> Path:
    """A folder whose graph looks rows up in a table of integers and widens them: Cast, then Mul."""
    helper, numpy_helper, types = onnx.helper, onnx.numpy_helper, onnx.TensorProto
    build_tiny(folder, heads=())
    nodes = [
        helper.make_node("Gather", ["table", "input_ids"], ["rows"]),
        helper.make_node("Cast", ["rows"], ["wide"], to=types.FLOAT),
        helper.make_node("Mul", ["wide", "scale"], ["scaled"]),
        helper.make_node("Cast", ["attention_mask"], ["mask"], to=types.FLOAT),
        helper.make_node("Unsqueeze", ["mask", "last"], ["columns"]),
        helper.make_node("Mul", ["scaled", "columns"], ["last_hidden_state"]),
    ]
    if dynamic:
        nodes[-1].output[0] = "masked"
        nodes += [
            helper.make_node("DynamicQuantizeLinear", ["masked"], ["q", "s", "z"]),
            helper.make_node("DequantizeLinear", ["q", "s", "z"], ["last_hidden_state"]),
        ]
    constants = [
        numpy_helper.from_array(table(kind), "table"),
        numpy_helper.from_array(np.array(0.01, np.float32), "scale"),
        numpy_helper.from_array(np.array([2]), "last"),
    ]
    inputs = [
        helper.make_tensor_value_info(one, types.INT64, ["b", "t"])
        for one in ("input_ids", "attention_mask")
    ]
    output = helper.make_tensor_value_info("last_hidden_state", types.FLOAT, ["b", "t", WIDTH])
    graph = helper.make_graph(nodes, "small", inputs, [output], constants)
    opset = [helper.make_opsetid("", 18)]
    path = as_model_folder(folder).with_name(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=9), path)
    return folder


@pytest.mark.parametrize("name", ["model.onnx", "model_fp16.onnx", "model_O1.onnx"])
@pytest.mark.parametrize("kind", ["int8", "uint8"])
def test_the_storage_is_what_the_graph_holds(tmp_path: Path, kind: str, name: str) -> None:
    """A name that says floats does not make floats of integers."""
    folder = folder_with(tmp_path / "m", kind, name)
    (variant,) = read_folder(folder).variants
    assert variant.storage == kind
    assert f"its weights are {kind}" in variant.note


def test_floats_are_called_floats(tmp_path: Path) -> None:
    """A graph of floats is described as before, and so is what is no graph."""
    folder = folder_with(tmp_path / "m", "float32")
    (variant,) = read_folder(folder).variants
    assert (variant.storage, variant.note) == ("float32", "")
    (folder / variant.file).write_bytes(b"\x3a\xff\xff\xff\xff\x0f nothing")
    assert integer_storage(folder / variant.file) is None
    (folder / variant.file).write_bytes(b"")
    assert integer_storage(folder / variant.file) is None
    assert integer_storage(folder / "absent") is None


@pytest.mark.parametrize(
    ("recipe", "wanted"),
    [("weights_8bit", "w8"), ("weights_4bit", "q4"), ("dynamic_int8", "int8"), ("float16", None)],
)
def test_forms_are_known_without_their_name(
    tmp_path: Path, engine: Engine, recipe: str, wanted: str | None
) -> None:
    """Blocks of 8 and 4 bits, plain integers and floats are told apart in the file itself."""
    artifact = artifact_of(large_table(tmp_path / "m"), "portable")
    made = written(engine, artifact, tmp_path / "out", Recipe(name=recipe))
    assert integer_storage(made.path) == wanted
    assert integer_storage(artifact.path) is None
    assert takes_ranges_from_batches(made.path) == (recipe == "dynamic_int8")


@pytest.mark.parametrize("dynamic", [False, True])
def test_only_ranges_from_batches_depend_on_batches(tmp_path: Path, dynamic: bool) -> None:
    """Integers that are widened give a text one vector; ranges taken from a batch do not."""
    folder = folder_with(tmp_path / "m", "int8", dynamic=dynamic)
    with hotbed.load(folder) as model:
        assert model.loaded.batch_dependent is dynamic
        found = model.encode(list(TEXTS))
        if not dynamic:
            np.testing.assert_allclose(found, [model.encode(t) for t in TEXTS], atol=1e-6)


@pytest.mark.parametrize("recipe", ["float16", "weights_8bit", "static_int8"])
@pytest.mark.parametrize("kind", ["int8", "uint8"])
def test_integers_are_not_quantised_again(
    tmp_path: Path, engine: Engine, kind: str, recipe: str
) -> None:
    """The message says what the weights are, and no file is written."""
    folder = folder_with(tmp_path / "m", kind)
    (variant,) = read_folder(folder).variants
    artifact = Artifact(folder=folder, path=folder / variant.file, variant=variant)
    with pytest.raises(UsageError, match=f"stores its weights as {kind} already"):
        written(engine, artifact, tmp_path / "out", Recipe(name=recipe))
    with pytest.raises(HotbedError, match=kind):
        hotbed.quantize(folder, tmp_path / "made")
    assert not (tmp_path / "made").exists()


def test_a_static_models_rows_depend_on_nothing(tmp_path: Path, engine: Engine) -> None:
    """The q8 form of a table of rows is looked up, and labelled so."""
    rows = {"embedding.weight": np.random.default_rng(0).normal(size=(VOCABULARY, 32))}
    whole = static_config(hidden_dim=32, vocab_size=VOCABULARY)
    single = {name: value.astype(np.float32) for name, value in rows.items()}
    folder = build_static(tmp_path / "m", whole=whole, tensors=single)
    artifact = artifact_of(folder, "portable")
    made = written(engine, artifact, tmp_path / "out", Recipe(name="dynamic_int8"))
    loaded = engine.load(made, LoadOptions(dtype="q8"))
    assert not loaded.batch_dependent
    engine.close(loaded)
