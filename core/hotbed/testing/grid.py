"""Weights that integers hold exactly, and ONNX files that hold them so.

The numpy reference runs on the same numbers, so what an engine adds to the error is its own.
The operators are those of the hub's files: DequantizeLinear, and MatMulNBits for 4 bits.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hotbed.testing.gaps import Gap

__all__ = ["BITS", "on_the_grid", "write_quantised"]

BITS = {"int8": 8, "uint8": 8, "q8": 8, "w8": 8, "q4": 4}
"""Storage → bits of a weight."""

_BLOCK = 32


def on_the_grid(weight: NDArray[np.float32], bits: int) -> NDArray[np.float32]:
    """Round a linear layer's (out, in) weight to integers times a scale; others stay."""
    if weight.ndim != 2 or weight.shape[1] % _BLOCK:
        return weight
    grouped = _grouped(weight, bits)
    whole, scale = _split(grouped, bits)
    rounded: NDArray[np.float32] = (whole * scale).astype(np.float32).reshape(weight.shape)
    return rounded


def _grouped(weight: NDArray[np.float32], bits: int) -> NDArray[np.float32]:
    """8 bits: one scale for a row. 4 bits: one for each block of 32."""
    width = _BLOCK if bits == 4 else weight.shape[1]
    return weight.reshape(weight.shape[0], -1, width)


def _split(groups: NDArray[np.float32], bits: int) -> tuple[NDArray[Any], NDArray[np.float32]]:
    most = 2 ** (bits - 1) - 1
    scale = np.abs(groups).max(axis=-1, keepdims=True) / np.float32(most)
    scale[scale == 0] = 1
    return np.rint(groups / scale), scale


def write_quantised(source: Path, out: Path, bits: int) -> None:
    """Write an ONNX file whose MatMul weights are integers.

    Args:
        source: A portable graph whose weights lie on the grid.
        out: The file to write.
        bits: 8 or 4.
    """
    try:
        import onnx
    except ModuleNotFoundError as error:
        raise Gap(
            'the kit writes quantised ONNX files with onnx; fix: pip install "hotbed[convert]"'
        ) from error
    model = onnx.load(source)
    held = {item.name: item for item in model.graph.initializer}
    nodes = []
    for node in model.graph.node:
        weight = held.get(node.input[1]) if node.op_type == "MatMul" else None
        values = None if weight is None else onnx.numpy_helper.to_array(weight)
        if values is None or not _lies_on_the_grid(values, bits):
            nodes.append(node)
            continue
        made, tensors = (_four_bits if bits == 4 else _eight_bits)(node, values)
        nodes += made
        model.graph.initializer.extend(tensors)
        model.graph.initializer.remove(weight)
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    model.opset_import.append(onnx.helper.make_opsetid("com.microsoft", 1))
    out.parent.mkdir(parents=True, exist_ok=True)
    onnx.save(model, out)


def _lies_on_the_grid(weight: NDArray[np.float32], bits: int) -> bool:
    """Whether a graph's (in, out) weight is one of those that were rounded."""
    if weight.ndim != 2 or weight.shape[0] % _BLOCK:
        return False
    return np.allclose(on_the_grid(weight.T, bits), weight.T, rtol=1e-5, atol=0)


def _eight_bits(node: Any, weight: NDArray[np.float32]) -> tuple[list[Any], list[Any]]:
    from onnx import helper, numpy_helper

    whole, scale = _split(_grouped(weight.T, 8), 8)
    name = node.input[1]
    tensors = [
        numpy_helper.from_array(whole[:, 0].T.astype(np.int8), f"{name}_whole"),
        numpy_helper.from_array(scale[:, 0, 0], f"{name}_scale"),
    ]
    widen = helper.make_node(
        "DequantizeLinear", [f"{name}_whole", f"{name}_scale"], [f"{name}_wide"], axis=1
    )
    multiply = helper.make_node("MatMul", [node.input[0], f"{name}_wide"], list(node.output))
    return [widen, multiply], tensors


def _four_bits(node: Any, weight: NDArray[np.float32]) -> tuple[list[Any], list[Any]]:
    from onnx import helper, numpy_helper

    whole, scale = _split(_grouped(weight.T, 4), 4)
    stored = (whole + 8).astype(np.uint8)  # (out, blocks, 32), zero point 8
    packed = stored[..., 0::2] | (stored[..., 1::2] << 4)
    name = node.input[1]
    tensors = [
        numpy_helper.from_array(packed, f"{name}_packed"),
        numpy_helper.from_array(scale.reshape(-1), f"{name}_scale"),
    ]
    multiply = helper.make_node(
        "MatMulNBits",
        [node.input[0], f"{name}_packed", f"{name}_scale"],
        list(node.output),
        domain="com.microsoft",
        K=weight.shape[0],
        N=weight.shape[1],
        bits=4,
        block_size=_BLOCK,
    )
    return [multiply], tensors
