"""Activations in plain ONNX operators, for every profile and for Dense modules."""

from __future__ import annotations

import math
from collections.abc import Callable

from hotbed_onnx.graph import Graph

__all__ = ["ACTIVATIONS", "activate"]


def activate(graph: Graph, x: str, name: str) -> str:
    """Apply an activation of ``ACTIVATIONS`` by name."""
    return ACTIVATIONS[name](graph, x)


def _gelu(graph: Graph, x: str) -> str:
    """x · ½(1 + erf(x/√2)), in the shape that runtimes fuse."""
    scaled = graph.op("Div", x, graph.constant(math.sqrt(2.0), "float32"))
    gate = graph.op("Add", graph.op("Erf", scaled), graph.constant(1.0, "float32"))
    return graph.op("Mul", graph.op("Mul", x, gate), graph.constant(0.5, "float32"))


def _gelu_tanh(graph: Graph, x: str) -> str:
    """½x(1 + tanh(√(2/π)(x + 0.044715x³))); Hendrycks & Gimpel 2016, arXiv:1606.08415."""
    cube = graph.op("Mul", graph.op("Mul", x, x), x)
    cube = graph.op("Mul", cube, graph.constant(0.044715, "float32"))
    inner = graph.op(
        "Mul", graph.op("Add", x, cube), graph.constant(math.sqrt(2 / math.pi), "float32")
    )
    gate = graph.op("Add", graph.op("Tanh", inner), graph.constant(1.0, "float32"))
    return graph.op("Mul", graph.op("Mul", x, gate), graph.constant(0.5, "float32"))


ACTIVATIONS: dict[str, Callable[[Graph, str], str]] = {
    "identity": lambda graph, x: x,
    "gelu": _gelu,
    "gelu_new": _gelu_tanh,
    "gelu_pytorch_tanh": _gelu_tanh,
    "relu": lambda graph, x: graph.op("Relu", x),
    "tanh": lambda graph, x: graph.op("Tanh", x),
    "sigmoid": lambda graph, x: graph.op("Sigmoid", x),
    "silu": lambda graph, x: graph.op("Mul", x, graph.op("Sigmoid", x)),
    "swish": lambda graph, x: graph.op("Mul", x, graph.op("Sigmoid", x)),
}
"""transformers' names of hidden activations, and the heads' own → emitter."""
