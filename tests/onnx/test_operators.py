"""A graph's operators are read without running it, and a graph that loops is not run."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import hotbed
from hotbed.errors import CorruptFileError, UnsupportedModelError
from hotbed.testing import build_tiny
from hotbed_onnx.operators import operators
from tests.onnx.graphs import as_model_folder, write_graph

IDS = {"input_ids": "int64", "attention_mask": "int64"}


def looped(path: Path, within: int = 0) -> Path:
    """Put a loop of 2**62 turns before a graph's output, in so many branches of ``If``."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    model = onnx.load(path)
    graph, output = model.graph, model.graph.output[0].name
    graph.node[-1].output[0] = "before"
    value = helper.make_tensor_value_info
    body = helper.make_graph(
        [
            helper.make_node("Identity", ["go"], ["go_on"]),
            helper.make_node("Identity", ["value"], ["next"]),
        ],
        "body",
        [
            value("turn", TensorProto.INT64, []),
            value("go", TensorProto.BOOL, []),
            value("value", TensorProto.FLOAT, None),
        ],
        [value("go_on", TensorProto.BOOL, []), value("next", TensorProto.FLOAT, None)],
    )
    graph.initializer.append(numpy_helper.from_array(np.array(2**62, np.int64), "turns"))
    graph.initializer.append(numpy_helper.from_array(np.array(True), "yes"))
    names = [f"after_{depth}" for depth in range(within)] + [output]
    node = helper.make_node("Loop", ["turns", "", "before"], [names[0]], body=body)
    for inner, outer in itertools.pairwise(names):
        branch = helper.make_graph([node], "branch", [], [value(inner, TensorProto.FLOAT, None)])
        node = helper.make_node("If", ["yes"], [outer], then_branch=branch, else_branch=branch)
    graph.node.append(node)
    path.write_bytes(model.SerializeToString())
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a stranger's graph."""
    build_tiny(tmp_path / "m", heads=())
    write_graph(as_model_folder(tmp_path / "m"), inputs=IDS, outputs={"last_hidden_state": 3})
    return tmp_path / "m"


@pytest.mark.parametrize("within", [0, 1, 3])
def test_a_graph_that_loops_is_refused(folder: Path, within: int) -> None:
    """A Loop is found wherever it stands, before anything runs; nobody could stop it."""
    looped(folder / "onnx" / "model.onnx", within)
    with pytest.raises(UnsupportedModelError, match=r"model\.onnx holds a Loop.*Export"):
        hotbed.load(folder)


def test_operators_are_those_that_onnx_reads(tmp_path: Path) -> None:
    """The names are the same as the onnx package's, branches and functions included."""
    import onnx
    from onnx import helper

    build_tiny(tmp_path / "m")
    made = hotbed.convert(tmp_path / "m", tmp_path / "out", profile="cpu").converted
    path = next(made.path.rglob(made.variants[0].file))
    model = onnx.load(path)
    function = helper.make_function(
        "local", "Twice", ["x"], ["y"], [helper.make_node("Sinh", ["x"], ["y"])], []
    )
    model.functions.append(function)
    path.write_bytes(model.SerializeToString())

    def names(graph: Any) -> set[str]:
        found = {node.op_type for node in graph.node}
        for node in graph.node:
            for attribute in node.attribute:
                for inner in (*attribute.graphs, attribute.g):
                    found |= names(inner)
        return found

    assert operators(path) == names(model.graph) | {"Sinh"}
    assert "If" in operators(path)


@pytest.mark.parametrize(
    "content",
    [b"\x3a\xff\x01", b"\x3a", b"\xff" * 40, b"\x0b\x0c", b"\x3a\x80\x80\x80\x80\x80\x80"],
    ids=["too long", "no length", "endless", "groups", "cut off"],
)
def test_what_is_no_protobuf_is_corrupt(tmp_path: Path, content: bytes) -> None:
    """Bytes that do not add up are refused with the file's name and size."""
    (tmp_path / "x.onnx").write_bytes(content)
    with pytest.raises(CorruptFileError, match=rf"x\.onnx \({len(content)} bytes\)"):
        operators(tmp_path / "x.onnx")


def test_graphs_nested_too_deeply_are_corrupt(tmp_path: Path) -> None:
    """Nesting ends before Python's stack does; protobuf's own reader would refuse it as well."""

    def field(number: int, content: bytes) -> bytes:
        size = len(content)
        length = bytes((size & 0x7F) | 0x80 for size in (size, size >> 7)) + bytes([size >> 14])
        return bytes([number << 3 | 2]) + length + content

    graph = b""
    for _ in range(2000):
        graph = field(1, field(5, field(6, graph)))  # a node's attribute that is a graph
    (tmp_path / "x.onnx").write_bytes(field(7, graph))
    with pytest.raises(CorruptFileError, match="32 graphs within one another"):
        operators(tmp_path / "x.onnx")


def test_a_graph_that_fails_writes_nothing_to_the_terminal(
    folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """onnxruntime's own log would print names out of the file; its error is ours already."""
    import onnx

    path = folder / "onnx" / "model.onnx"
    model = onnx.load(path)
    model.graph.node[0].name = model.graph.node[0].op_type = "\x1b[31mred"
    path.write_bytes(model.SerializeToString())
    with pytest.raises(hotbed.HotbedError):
        hotbed.load(folder)
    captured = capfd.readouterr()
    assert (captured.out, captured.err) == ("", "")
