"""Dense, LayerNorm and Normalize in the graph."""

from __future__ import annotations

from pathlib import Path

from hotbed.models.heads import LAYER_NORM_EPS, NORM_FLOOR
from hotbed.models.modules import Dense, Head, LayerNorm, Normalize
from hotbed.models.weights import Weights
from hotbed_onnx.graph import Graph
from hotbed_onnx.profiles.activations import activate

__all__ = ["add_heads"]


def add_heads(graph: Graph, folder: Path, x: str, heads: tuple[Head, ...]) -> str:
    """Apply the heads to (batch, width) float32, in order."""
    for head in heads:
        match head:
            case Normalize():
                x = _normalize(graph, x)
            case LayerNorm():
                x = _layer_norm(graph, folder, x, head)
            case Dense():
                x = _dense(graph, folder, x, head)
    return x


def _normalize(graph: Graph, x: str) -> str:
    norm = graph.op("ReduceL2", x, axes=[-1], keepdims=1)
    return graph.op("Div", x, graph.op("Max", norm, graph.constant(NORM_FLOOR, "float32")))


def _layer_norm(graph: Graph, folder: Path, x: str, head: LayerNorm) -> str:
    weights = Weights.open(folder / head.path)
    size = (head.dimension,)
    scale = graph.weight(f"{head.path}.scale", size, lambda: weights.float32("norm.weight", size))
    shift = graph.weight(f"{head.path}.shift", size, lambda: weights.float32("norm.bias", size))
    return graph.op("LayerNormalization", x, scale, shift, axis=-1, epsilon=LAYER_NORM_EPS)


def _dense(graph: Graph, folder: Path, x: str, head: Dense) -> str:
    weights = Weights.open(folder / head.path)
    rows, columns = head.out_features, head.in_features

    def matrix(name: str) -> str:
        return graph.weight(
            f"{head.path}.{name}", (columns, rows), lambda: weights.float32(name, (rows, columns)).T
        )

    out = graph.op("MatMul", x, matrix("linear.weight"))
    if head.bias:
        bias = graph.weight(
            f"{head.path}.bias", (rows,), lambda: weights.float32("linear.bias", (rows,))
        )
        out = graph.op("Add", out, bias)
    out = activate(graph, out, head.activation)
    if head.residual:
        skip = x if rows == columns else graph.op("MatMul", x, matrix("residual.weight"))
        out = graph.op("Add", out, skip)
    return out
