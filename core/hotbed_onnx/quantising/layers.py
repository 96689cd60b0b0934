"""The parts of a graph that can be quantised: linear layers, and tables with a row for each id."""

from __future__ import annotations

import math
from collections import Counter
from typing import Any

import numpy as np
from attrs import frozen

from hotbed.backends import Layer
from hotbed.errors import UsageError
from hotbed_onnx.graph import Graph

__all__ = ["Part", "find_parts", "refuse_integers", "refuse_quantised"]

_TABLE = 2**18
"""Values from which a table is worth the work: word embeddings, and not those of positions."""

_QUANTISED = frozenset(
    "QuantizeLinear DequantizeLinear DynamicQuantizeLinear MatMulInteger QLinearMatMul "
    "MatMulNBits MatMulBnb4 GatherBlockQuantized DynamicQuantizeMatMul MatMulIntegerToFloat "
    "QAttention QGemm".split()
)
_QUANTISED_STARTS = ("QLinear", "DynamicQuantize", "ConvInteger", "QEmbed", "QOrdered")


@frozen(kw_only=True, eq=False)
class Part:
    """A layer and its node.

    Attributes:
        layer: What the core is told.
        node: Its MatMul or Gather.
        weight: The name of its weight, in the graph's tensors.
    """

    layer: Layer
    node: Any
    weight: str


def refuse_quantised(graph: Graph, name: str) -> None:
    """Refuse a graph that somebody quantised.

    Raises:
        UsageError: It holds operators of quantised weights; the error counts them.
    """
    found = Counter(
        node.op_type
        for node in graph.nodes
        if node.op_type in _QUANTISED or node.op_type.startswith(_QUANTISED_STARTS)
    )
    if found:
        listed = ", ".join(f"{count} × {kind}" for kind, count in found.most_common(3))
        raise UsageError(
            f"{name} is quantised already ({listed}): rounding twice loses twice. Start from the "
            f"float32 file"
        )


def refuse_integers(graph: Graph, name: str) -> None:
    """Refuse a graph whose weights are integers already, widened by plain operators.

    Raises:
        UsageError: Most bytes of its weights are integers; the error says which.
    """
    sizes: Counter[str] = Counter()
    for tensor in graph.tensors.values():
        dtype = np.dtype(tensor.dtype)
        if dtype.kind == "f" or dtype.itemsize == 1:
            sizes[dtype.name] += math.prod(tensor.shape) * dtype.itemsize
    stored = max(sizes, key=lambda kind: sizes[kind], default="")
    if stored in ("int8", "uint8"):
        raise UsageError(
            f"{name} stores its weights as {stored} already, and widens them as it runs: rounding "
            f"twice loses twice. Start from the float32 file"
        )


def find_parts(graph: Graph) -> tuple[Part, ...]:
    """Every MatMul with a fixed weight, and every large table that rows are taken from.

    A weight that two nodes share gives two parts of one name's stem; what lies in branches is left
    alone.
    """
    parts = []
    for node in graph.nodes:
        if node.domain not in ("", "ai.onnx"):
            continue
        if node.op_type == "MatMul":
            part = _linear(graph, node)
        elif node.op_type == "Gather":
            part = _table(graph, node)
        else:
            continue
        if part is not None:
            parts.append(part)
    return tuple(parts)


def _linear(graph: Graph, node: Any) -> Part | None:
    tensor = graph.tensors.get(node.input[1])
    if tensor is None or len(tensor.shape) != 2 or tensor.dtype != "float32":
        return None
    inputs, outputs = tensor.shape
    layer = Layer(name=_name(node, tensor.name), kind="linear", inputs=inputs, outputs=outputs)
    return Part(layer=layer, node=node, weight=tensor.name)


def _table(graph: Graph, node: Any) -> Part | None:
    tensor = graph.tensors.get(node.input[0])
    if tensor is None or len(tensor.shape) != 2 or tensor.dtype != "float32":
        return None
    axis = next((item.i for item in node.attribute if item.name == "axis"), 0)
    count, width = tensor.shape
    if axis != 0 or count * width < _TABLE:
        return None
    layer = Layer(name=_name(node, tensor.name), kind="table", inputs=count, outputs=width)
    return Part(layer=layer, node=node, weight=tensor.name)


def _name(node: Any, weight: str) -> str:
    """The weight's own name where it has one; exporters number weights, and name nodes."""
    if weight.startswith("onnx::") or weight.isdecimal():
        return str(node.name or node.output[0])
    return weight.removesuffix(".kernel").removesuffix(".weight")
