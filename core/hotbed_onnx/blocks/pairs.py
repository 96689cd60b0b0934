"""Pairs of tokens: how far apart they are, and which of them see one another."""

from __future__ import annotations

from hotbed_onnx.graph import Graph

__all__ = ["count_up", "distance", "earlier", "near"]


def count_up(graph: Graph, count: str) -> str:
    """0, 1, 2, … as int64; ``count`` is (1,) or a scalar, int64."""
    scalar = graph.op("Reshape", count, graph.constant([], "int64"))
    return graph.op("Range", graph.constant(0, "int64"), scalar, graph.constant(1, "int64"))


def distance(graph: Graph, ids: str) -> str:
    """How many columns the second token of each pair is after the first, (tokens, tokens) int64."""
    columns = count_up(graph, graph.op("Shape", ids, start=1, end=2))
    first = graph.op("Unsqueeze", columns, graph.constant([1], "int64"))
    return graph.op("Sub", columns, first)


def near(graph: Graph, ids: str, reach: int) -> str:
    """Pairs at most ``reach`` columns apart, (1, 1, tokens, tokens) bool."""
    apart = graph.op("Abs", distance(graph, ids))
    return _for_all_heads(graph, graph.op("LessOrEqual", apart, graph.constant(reach, "int64")))


def earlier(graph: Graph, ids: str, reach: int | None = None) -> str:
    """Pairs whose second token is not after the first, and at most ``reach`` columns before."""
    away = distance(graph, ids)
    seen = graph.op("LessOrEqual", away, graph.constant(0, "int64"))
    if reach is not None:
        close = graph.op("GreaterOrEqual", away, graph.constant(-reach, "int64"))
        seen = graph.op("And", seen, close)
    return _for_all_heads(graph, seen)


def _for_all_heads(graph: Graph, pairs: str) -> str:
    return graph.op("Unsqueeze", pairs, graph.constant([0, 1], "int64"))
