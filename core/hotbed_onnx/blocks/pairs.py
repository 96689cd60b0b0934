"""Pairs of tokens: how far apart they are, and which of them see one another."""

from __future__ import annotations

from hotbed_onnx.graph import Graph

__all__ = ["distance"]


def distance(graph: Graph, ids: str) -> str:
    """How many columns the second token of each pair is after the first, (tokens, tokens) int64."""
    zero, one = graph.constant(0, "int64"), graph.constant(1, "int64")
    length = graph.op("Shape", ids, start=1, end=2)
    length = graph.op("Squeeze", length, graph.constant([0], "int64"))
    columns = graph.op("Range", zero, length, one)
    first = graph.op("Unsqueeze", columns, graph.constant([1], "int64"))
    return graph.op("Sub", columns, first)
