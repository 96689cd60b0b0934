"""Plain ONNX operators of opset 17: runs in every runtime, and is what the hub's names promise."""

from __future__ import annotations

from hotbed_onnx.attention import Attention, Mask, Rope
from hotbed_onnx.graph import Graph
from hotbed_onnx.profiles.activations import activate
from hotbed_onnx.profiles.plain import (
    additive_mask,
    attend,
    heads_apart,
    rms_norm,
    rope_rows,
    rotate,
    split,
)

__all__ = ["EMITTER"]


class _Portable:
    opset = 17  # the first with LayerNormalization; browsers' runtimes know it

    def mask(
        self,
        graph: Graph,
        padding: str,
        *,
        pairs: str = "",
        bias: str = "",
        shared_keys: bool = False,
    ) -> Mask:
        return Mask(scores=additive_mask(graph, padding, pairs=pairs, bias=bias))

    def rope(self, graph: Graph, cos: str, sin: str, ids: str, positions: str = "") -> Rope:
        """The tokens' own rows."""
        rows = (rope_rows(graph, table, ids, positions) for table in (cos, sin))
        return Rope(*rows)

    def layer_norm(self, graph: Graph, x: str, scale: str, shift: str, eps: float) -> str:
        inputs = (x, scale, shift) if shift else (x, scale)
        return graph.op("LayerNormalization", *inputs, axis=-1, epsilon=eps)

    def rms_norm(self, graph: Graph, x: str, scale: str, eps: float) -> str:
        return rms_norm(graph, x, scale, eps)

    def add_norm(
        self, graph: Graph, x: str, skip: str, bias: str, scale: str, shift: str, eps: float
    ) -> str:
        total = graph.op("Add", graph.op("Add", x, bias) if bias else x, skip)
        return self.layer_norm(graph, total, scale, shift, eps)

    def linear(self, graph: Graph, x: str, kernel: str) -> str:
        return graph.op("MatMul", x, kernel)

    def bias_activation(self, graph: Graph, x: str, bias: str, activation: str) -> str:
        return activate(graph, graph.op("Add", x, bias), activation)

    def gated(self, graph: Graph, packed: str, activation: str) -> str:
        a, b = split(graph, packed, "ab")
        return graph.op("Mul", activate(graph, a, activation), b)

    def self_attention(self, graph: Graph, packed: str, how: Attention) -> str:
        if how.bias:
            packed = graph.op("Add", packed, how.bias)
        query, key, value = _heads(graph, packed, how)
        if how.norm:
            query = rms_norm(graph, query, how.norm.query, how.norm.eps)
            key = rms_norm(graph, key, how.norm.key, how.norm.eps)
        if how.rope:
            query = rotate(graph, query, how.rope.cos, how.rope.sin)
            key = rotate(graph, key, how.rope.cos, how.rope.sin)
        return attend(graph, query, key, value, how)


def _heads(graph: Graph, packed: str, how: Attention) -> tuple[str, ...]:
    """Queries, keys and values, (batch, heads, tokens, size) each."""
    if how.kv_heads == how.heads:
        shape = graph.constant([0, 0, 3, how.heads, how.head_size], "int64")
        # (batch, tokens, 3, heads, size) → (3, batch, heads, tokens, size)
        parts = graph.op("Transpose", graph.op("Reshape", packed, shape), perm=[2, 0, 3, 1, 4])
        return tuple(
            graph.op("Gather", parts, graph.constant(i, "int64"), axis=0) for i in range(3)
        )
    return tuple(
        heads_apart(graph, part, how.head_size) for part in split(graph, packed, "qkv", how.widths)
    )


EMITTER = _Portable()
