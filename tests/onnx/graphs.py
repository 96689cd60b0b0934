"""Graphs as other exporters write them, made with ``onnx.helper``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

__all__ = ["HIDDEN", "VOCABULARY", "as_model_folder", "table", "write_graph"]

VOCABULARY, HIDDEN = 64, 4


def table() -> Any:
    """(vocabulary, hidden) float32: what a token number is embedded as."""
    return np.random.default_rng(3).normal(size=(VOCABULARY, HIDDEN)).astype(np.float32)


def write_graph(
    path: Path,
    *,
    inputs: Mapping[str, str],
    outputs: Mapping[str, int],
    added: Sequence[str] = (),
    location: str = "",
    names: bool = True,
) -> Path:
    """Write a graph that looks tokens up in ``table()``.

    Args:
        path: The file.
        inputs: Name → ``int64``, ``int32`` or ``float32``.
        outputs: Name → rank: 3 gives a row a token, 2 the first token's row.
        added: Inputs whose numbers are added to every row of their token.
        location: Where the table lies, if outside the file.
        names: Whether the last dimension of the outputs is declared.
    """
    from onnx import TensorProto, helper, numpy_helper

    kinds = {"int64": 7, "int32": 6, "float32": 1}
    grid = ["batch", "tokens"]
    weight = numpy_helper.from_array(table(), "table")
    if location:
        weight.ClearField("raw_data")
        weight.data_location = TensorProto.EXTERNAL
        weight.external_data.add(key="location", value=location)
    nodes = [helper.make_node("Gather", ["table", "input_ids"], ["rows_0"], axis=0)]
    for count, name in enumerate(added):
        nodes += [
            helper.make_node("Cast", [name], [f"cast_{name}"], to=1),
            helper.make_node("Unsqueeze", [f"cast_{name}", "two"], [f"wide_{name}"]),
            helper.make_node("Add", [f"rows_{count}", f"wide_{name}"], [f"rows_{count + 1}"]),
        ]
    rows = f"rows_{len(added)}"
    nodes.append(helper.make_node("Gather", [rows, "zero"], ["first"], axis=1))
    infos = []
    for name, rank in outputs.items():
        nodes.append(helper.make_node("Identity", [rows if rank == 3 else "first"], [name]))
        shape: list[Any] = [*grid[: rank - 1], HIDDEN if names else "width"]
        infos.append(helper.make_tensor_value_info(name, 1, shape))
    graph = helper.make_graph(
        nodes,
        "foreign",
        [helper.make_tensor_value_info(n, kinds[kind], grid) for n, kind in inputs.items()],
        infos,
        [
            weight,
            numpy_helper.from_array(np.array(0, np.int64), "zero"),
            numpy_helper.from_array(np.array([2], np.int64), "two"),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(model.SerializeToString())
    return path


def as_model_folder(folder: Path) -> Path:
    """Take a tiny folder's weights away, and give the path for an ONNX file instead."""
    (folder / "model.safetensors").unlink()
    return folder / "onnx" / "model.onnx"
