"""Pooling in the graph: the same edge cases as ``hotbed.models.pooling``, in plain operators."""

from __future__ import annotations

import math
from collections.abc import Callable

from hotbed.backends.values import Pooling
from hotbed_onnx.graph import Graph

__all__ = ["pool"]

_LOWEST = -3.4028234663852886e38


def pool(graph: Graph, tokens: str, attention_mask: str, mask: str, pooling: Pooling) -> str:
    """Pool (batch, tokens, hidden) to (batch, hidden × modes)."""
    parts = [_MODES[mode](graph, tokens, attention_mask, mask) for mode in pooling.modes]
    return parts[0] if len(parts) == 1 else graph.op("Concat", *parts, axis=-1)


def _axes(graph: Graph, *axes: int) -> str:
    return graph.constant(list(axes), "int64")


def _floats(graph: Graph, mask: str) -> str:
    return graph.op("Cast", mask, to=1)  # 1 = FLOAT


def _weighted_sum(graph: Graph, tokens: str, weights: str) -> str:
    """Σ wᵢxᵢ as one matrix product: (batch, 1, tokens) @ (batch, tokens, hidden)."""
    row = graph.op("Unsqueeze", weights, _axes(graph, 1))
    return graph.op("Squeeze", graph.op("MatMul", row, tokens), _axes(graph, 1))


def _total(graph: Graph, weights: str) -> str:
    total = graph.op("ReduceSum", weights, _axes(graph, 1), keepdims=1)
    return graph.op("Max", total, graph.constant(1e-9, "float32"))


def _pick(graph: Graph, tokens: str, index: str) -> str:
    """Row ``index[b]`` of each text: index is (batch, 1) int64."""
    batch = graph.op("Shape", index, start=0, end=1)
    zero, one = graph.constant(0, "int64"), graph.constant(1, "int64")
    rows = graph.op("Range", zero, graph.op("Squeeze", batch, _axes(graph, 0)), one)
    rows = graph.op("Unsqueeze", rows, _axes(graph, 1))
    return graph.op("GatherND", tokens, graph.op("Concat", rows, index, axis=1))


def _first(graph: Graph, mask: str) -> str:
    """Column of the first 1, (batch, 1); 0 where there is none. int32: ArgMax of int64 is slow."""
    small = graph.op("Cast", mask, to=6)  # 6 = INT32
    return graph.op("ArgMax", small, axis=1, keepdims=1)


def _cls(graph: Graph, tokens: str, attention_mask: str, mask: str) -> str:
    return _pick(graph, tokens, _first(graph, mask))


def _max(graph: Graph, tokens: str, attention_mask: str, mask: str) -> str:
    kept = graph.op("Cast", graph.op("Unsqueeze", mask, _axes(graph, 2)), to=9)  # 9 = BOOL
    # Without a prompt left out every row keeps a token, and a finite floor suits every runtime;
    # with one, nothing may be left, and the greatest of nothing is -inf, as in `pool` in numpy.
    floor = graph.constant(_LOWEST if mask == attention_mask else -math.inf, "float32")
    return graph.op("ReduceMax", graph.op("Where", kept, tokens, floor), axes=[1], keepdims=0)


def _mean(graph: Graph, tokens: str, attention_mask: str, mask: str) -> str:
    weights = _floats(graph, mask)
    return graph.op("Div", _weighted_sum(graph, tokens, weights), _total(graph, weights))


def _mean_sqrt_len(graph: Graph, tokens: str, attention_mask: str, mask: str) -> str:
    weights = _floats(graph, mask)
    length = graph.op("Sqrt", _total(graph, weights))
    return graph.op("Div", _weighted_sum(graph, tokens, weights), length)


def _weighted_mean(graph: Graph, tokens: str, attention_mask: str, mask: str) -> str:
    length = graph.op("Squeeze", graph.op("Shape", mask, start=1, end=2), _axes(graph, 0))
    one = graph.constant(1, "int64")
    columns = graph.op("Range", one, graph.op("Add", length, one), one)
    places = graph.op("Sub", columns, _first(graph, attention_mask))
    weights = _floats(graph, graph.op("Mul", mask, places))
    return graph.op("Div", _weighted_sum(graph, tokens, weights), _total(graph, weights))


def _last_token(graph: Graph, tokens: str, attention_mask: str, mask: str) -> str:
    small = graph.op("Cast", mask, to=6)
    last = graph.op("ArgMax", small, axis=1, keepdims=1, select_last_index=1)
    any_token = _floats(graph, graph.op("ReduceMax", mask, axes=[1], keepdims=1))
    return graph.op("Mul", _pick(graph, tokens, last), any_token)


_MODES: dict[str, Callable[[Graph, str, str, str], str]] = {
    "cls": _cls,
    "max": _max,
    "mean": _mean,
    "mean_sqrt_len_tokens": _mean_sqrt_len,
    "weightedmean": _weighted_mean,
    "lasttoken": _last_token,
}
