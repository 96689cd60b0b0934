"""Graphs that somebody else exported, and that take less than the folder gives: known at load."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import hotbed
from hotbed.errors import CorruptFileError, ModelError, UnsupportedModelError, UsageError
from hotbed.testing import TEXTS, build_tiny

pytestmark = pytest.mark.filterwarnings("ignore::hotbed.HotbedWarning")


def export(
    folder: Path,
    *,
    batch: Any = "batch",
    tokens: Any = "tokens",
    rows: int = 100,
    positions: int = 0,
    inside: int = 0,
    ir_version: int = 9,
    opset: int = 18,
) -> Path:
    """Replace a tiny folder's weights with a graph that looks rows up.

    Args:
        folder: The folder.
        batch: The batch axis as declared; a number fixes it.
        tokens: The same of the tokens.
        rows: Rows of the table of tokens.
        positions: Rows of a table of positions that is added; 0 for none.
        inside: A number of rows that the graph is reshaped to, whatever it declares; 0 for none.
        ir_version: Of the file.
        opset: Of its operators.
    """
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    random = np.random.default_rng(0)
    tables = {"table": (rows, 8), "places": (max(positions, 1), 8)}
    constants = [
        numpy_helper.from_array(random.normal(size=shape).astype(np.float32), name)
        for name, shape in tables.items()
    ]
    for name, value in {"zero": [0], "one": [1], "shape": [inside, -1, 8]}.items():
        constants.append(numpy_helper.from_array(np.array(value, np.int64), name))
    nodes = [helper.make_node("Gather", ["table", "input_ids"], ["rows"])]
    last = "rows"
    if positions:
        nodes += [
            helper.make_node("Shape", [last], ["length"], start=1, end=2),
            helper.make_node("Slice", ["places", "zero", "length", "zero"], ["placed"]),
            helper.make_node("Add", [last, "placed"], ["summed"]),
        ]
        last = "summed"
    if inside:
        nodes.append(helper.make_node("Reshape", [last, "shape"], ["shaped"]))
        last = "shaped"
    nodes += [
        helper.make_node("Cast", ["attention_mask"], ["mask"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMax", ["mask"], ["scale"], keepdims=0),
        helper.make_node("Mul", [last, "scale"], ["last_hidden_state"]),
    ]
    names = ("input_ids", "attention_mask")
    axes = [batch, tokens]
    inputs = [helper.make_tensor_value_info(name, TensorProto.INT64, axes) for name in names]
    output = helper.make_tensor_value_info(
        "last_hidden_state", TensorProto.FLOAT, ["b_out", "t_out", 8]
    )
    graph = helper.make_graph(nodes, "small", inputs, [output], constants)
    opsets = [helper.make_opsetid("", opset)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=ir_version)
    (folder / "onnx").mkdir()
    (folder / "onnx" / "model.onnx").write_bytes(model.SerializeToString())
    (folder / "model.safetensors").unlink()
    assert onnx.load(folder / "onnx" / "model.onnx").ir_version == ir_version
    return folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A tiny folder that cuts at 32 tokens."""
    return build_tiny(tmp_path / "tiny", heads=(), max_seq_length=32)


def test_a_graph_that_takes_everything(folder: Path) -> None:
    """Nothing is refused where nothing is wrong."""
    with hotbed.load(export(folder, positions=40)) as model:
        assert model.encode(list(TEXTS)).shape == (len(TEXTS), 8)


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"batch": 1}, r"fixed axes \(input_ids \[1, 'tokens'\].*dynamic axes"),
    ({"tokens": 16}, r"fixed axes \(input_ids \['batch', 16\]"),
    ({"batch": 1, "tokens": 128}, r"fixed axes \(input_ids \[1, 128\]"),
    ({"batch": 4, "tokens": 7}, r"fixed axes"),
    ({"rows": 9}, r"has a table of 9 tokens, and tokenizer\.json gives numbers up to \d\d"),
    ({"rows": 1}, r"has a table of 1 tokens"),
]


@pytest.mark.parametrize(("graph", "message"), REFUSED)
def test_a_graph_that_cannot_be_fed(folder: Path, graph: dict[str, Any], message: str) -> None:
    """Fixed axes, and a table that is smaller than the vocabulary, are refused at load."""
    export(folder, **graph)
    with pytest.raises(UnsupportedModelError, match=message):
        hotbed.load(folder)


@pytest.mark.parametrize("positions", [5, 16, 31])
def test_positions_that_end_early(
    folder: Path, positions: int, caplog: pytest.LogCaptureFixture
) -> None:
    """A folder's own limit is lowered to what the graph reads; a call's is refused."""
    export(folder, positions=positions)
    with hotbed.load(folder) as model:
        assert model.max_seq_length == positions
        assert np.isfinite(model.encode(["the cat " * 30, "bread"])).all()
        assert model.last_truncated == 1
    assert f"reads texts of up to {positions} tokens" in caplog.text
    with pytest.raises(UsageError, match=f"max_seq_length=32: .*up to {positions} tokens"):
        hotbed.load(folder, max_seq_length=32)
    with hotbed.load(folder, max_seq_length=positions) as model:
        assert model.max_seq_length == positions


@pytest.mark.parametrize("newer", [{"ir_version": 99}, {"opset": 99}])
def test_a_newer_file_is_not_called_corrupt(folder: Path, newer: dict[str, int]) -> None:
    """A file of a newer ONNX says so, and that onnxruntime wants an update."""
    export(folder, **newer)
    with pytest.raises(UnsupportedModelError, match=r"newer ONNX than onnxruntime.*Update"):
        hotbed.load(folder)


@pytest.mark.parametrize("seed", range(12))
def test_random_bytes_are_an_error_of_the_file(folder: Path, seed: int) -> None:
    """A file that was overwritten somewhere, or everywhere, never raises anything else."""
    path = export(folder) / "onnx" / "model.onnx"
    random = np.random.default_rng(seed)
    content = bytearray(path.read_bytes())
    for place in random.integers(0, min(len(content), 400), size=1 + seed * 3):
        content[place] = random.integers(256)
    path.write_bytes(bytes(content) if seed else random.bytes(5000))
    try:
        with hotbed.load(folder) as model:
            model.encode("the cat")
    except hotbed.HotbedError as error:
        told = str(error)
    else:
        told = "model.onnx"
    assert "model.onnx" in told or "onnx_cpu" in told


def test_a_pointer_of_git_lfs(folder: Path) -> None:
    """A graph that git-lfs has not fetched says so."""
    path = export(folder) / "onnx" / "model.onnx"
    path.write_bytes(b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n")
    with pytest.raises(CorruptFileError, match="git lfs pull"):
        hotbed.load(folder)
    assert issubclass(CorruptFileError, ModelError)
