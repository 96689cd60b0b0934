"""Pieces in plain ONNX operators that several profiles use."""

from __future__ import annotations

from collections.abc import Sequence

from hotbed_onnx.attention import Attention
from hotbed_onnx.graph import Graph

__all__ = [
    "LOWEST",
    "additive_mask",
    "attend",
    "heads_apart",
    "rms_norm",
    "rope_rows",
    "rotate",
    "split",
]

LOWEST = -3.4028234663852886e38
"""The lowest float32, as transformers uses it; finite, so that a fully masked row is not NaN."""


def split(graph: Graph, x: str, names: str, widths: Sequence[int] = ()) -> tuple[str, ...]:
    """Cut the last axis into one part for each letter of ``names``; equal ones without widths."""
    label = x.rpartition("/")[2]
    parts = tuple(f"{label}_{letter}" for letter in names)
    inputs = (x, graph.constant(list(widths), "int64")) if widths else (x,)
    return graph.ops("Split", *inputs, names=parts, axis=-1)


def rms_norm(graph: Graph, x: str, scale: str, eps: float) -> str:
    """x / √(mean(x²) + eps) · scale over the last axis."""
    square = graph.op("ReduceMean", graph.op("Mul", x, x), axes=[-1], keepdims=1)
    root = graph.op("Sqrt", graph.op("Add", square, graph.constant(eps, "float32")))
    return graph.op("Mul", graph.op("Div", x, root), scale)


def additive_mask(graph: Graph, padding: str, *, pairs: str = "", bias: str = "") -> str:
    """0 on what is seen and the lowest float elsewhere, (batch, 1, 1 or tokens, tokens); plus bias.

    Args:
        graph: The graph.
        padding: (batch, tokens) int64, 0 on padding.
        pairs: (1, 1, tokens, tokens) bool: which token sees which; ``""``: all.
        bias: (1, heads, tokens, tokens) float32; ``""``: nothing.
    """
    hidden = graph.op("Equal", padding, graph.constant(0, "int64"))
    lowest, zero = graph.constant(LOWEST, "float32"), graph.constant(0.0, "float32")
    scores = graph.op("Where", hidden, lowest, zero)
    scores = graph.op("Unsqueeze", scores, graph.constant([1, 2], "int64"))
    if pairs:
        # The lower of the two, and not their sum, which would be -inf: a row that sees nothing
        # would be NaN, and spoil the rows that see it with weight 0.
        scores = graph.op("Min", scores, graph.op("Where", pairs, zero, lowest))
    return graph.op("Add", scores, bias) if bias else scores


def rotate(graph: Graph, x: str, cos: str, sin: str) -> str:
    """Rotate the halves of the last axis; cosines and sines spread over the axes before it."""
    first, second = split(graph, x, "ab")
    rotated = (
        graph.op("Sub", graph.op("Mul", first, cos), graph.op("Mul", second, sin)),
        graph.op("Add", graph.op("Mul", second, cos), graph.op("Mul", first, sin)),
    )
    return graph.op("Concat", *rotated, axis=-1)


def rope_rows(graph: Graph, table: str, ids: str, positions: str) -> str:
    """A table's rows for the tokens, to be used with (batch, heads, tokens, half).

    Args:
        graph: The graph.
        table: (positions, half) float32.
        ids: (batch, tokens), for the number of tokens.
        positions: (batch, tokens) int64; ``""`` for the columns.
    """
    if positions:
        rows = graph.op("Gather", table, positions, axis=0)
        return graph.op("Unsqueeze", rows, graph.constant([1], "int64"))
    start, axis = graph.constant([0], "int64"), graph.constant([0], "int64")
    return graph.op("Slice", table, start, graph.op("Shape", ids, start=1, end=2), axis)


def heads_apart(graph: Graph, x: str, head_size: int) -> str:
    """(batch, tokens, heads × size) → (batch, heads, tokens, size)."""
    apart = graph.op("Reshape", x, graph.constant([0, 0, -1, head_size], "int64"))
    return graph.op("Transpose", apart, perm=[0, 2, 1, 3])


def attend(graph: Graph, query: str, key: str, value: str, how: Attention) -> str:
    """Softmax attention of (batch, heads, tokens, size) to (batch, tokens, heads × size).

    Query heads that share keys are laid one below the other, so that keys are never copied.
    """
    shared = how.kv_heads != how.heads
    if shared:
        below = graph.constant([0, how.kv_heads, -1, how.head_size], "int64")
        query = graph.op("Reshape", query, below)
    scale = graph.constant(how.scale, "float32")
    keys = graph.op("Transpose", key, perm=[0, 1, 3, 2])
    scores = graph.op("Mul", graph.op("MatMul", query, keys), scale)
    if shared:
        scores = graph.op("Reshape", scores, graph.constant([0, how.heads, -1, 0], "int64"))
    weights = graph.op("Softmax", graph.op("Add", scores, how.mask.scores), axis=-1)
    if shared:
        weights = graph.op("Reshape", weights, graph.constant([0, how.kv_heads, -1, 0], "int64"))
    mixed = graph.op("MatMul", weights, value)
    if shared:
        apart = graph.constant([0, how.heads, -1, how.head_size], "int64")
        mixed = graph.op("Reshape", mixed, apart)
    mixed = graph.op("Transpose", mixed, perm=[0, 2, 1, 3])
    return graph.op("Reshape", mixed, graph.constant([0, 0, how.widths[0]], "int64"))
