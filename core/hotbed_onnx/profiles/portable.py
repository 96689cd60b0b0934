"""Plain ONNX operators of opset 17: runs in every runtime, and is what the hub's names promise."""

from __future__ import annotations

import math

from hotbed_onnx.graph import Graph
from hotbed_onnx.profiles.activations import activate

__all__ = ["EMITTER"]

_MASKED = -3.4028234663852886e38
"""The lowest float32, as transformers uses it; finite, so that a fully masked row is not NaN."""


class _Portable:
    opset = 17  # the first with LayerNormalization; browsers' runtimes know it

    def attention_mask(self, graph: Graph, mask: str) -> str:
        """0 on tokens and the lowest float on padding, as (batch, 1, 1, tokens)."""
        padding = graph.op("Equal", mask, graph.constant(0, "int64"))
        bias = graph.op(
            "Where",
            padding,
            graph.constant(_MASKED, "float32"),
            graph.constant(0.0, "float32"),
        )
        return graph.op("Unsqueeze", bias, graph.constant([1, 2], "int64"))

    def layer_norm(self, graph: Graph, x: str, scale: str, shift: str, eps: float) -> str:
        return graph.op("LayerNormalization", x, scale, shift, axis=-1, epsilon=eps)

    def add_norm(
        self, graph: Graph, x: str, skip: str, bias: str, scale: str, shift: str, eps: float
    ) -> str:
        total = graph.op("Add", graph.op("Add", x, bias), skip)
        return self.layer_norm(graph, total, scale, shift, eps)

    def linear(self, graph: Graph, x: str, kernel: str) -> str:
        return graph.op("MatMul", x, kernel)

    def bias_activation(self, graph: Graph, x: str, bias: str, activation: str) -> str:
        return activate(graph, graph.op("Add", x, bias), activation)

    def self_attention(
        self, graph: Graph, packed: str, bias: str, mask: str, heads: int, head_size: int
    ) -> str:
        shape = graph.constant([0, 0, 3, heads, head_size], "int64")
        split = graph.op("Reshape", graph.op("Add", packed, bias), shape)
        # (batch, tokens, 3, heads, size) → (3, batch, heads, tokens, size)
        split = graph.op("Transpose", split, perm=[2, 0, 3, 1, 4])
        query, key, value = (
            graph.op("Gather", split, graph.constant(i, "int64"), axis=0) for i in range(3)
        )
        scale = graph.constant(1.0 / math.sqrt(head_size), "float32")
        keys = graph.op("Transpose", key, perm=[0, 1, 3, 2])
        scores = graph.op("Mul", graph.op("MatMul", query, keys), scale)
        weights = graph.op("Softmax", graph.op("Add", scores, mask), axis=-1)
        mixed = graph.op("Transpose", graph.op("MatMul", weights, value), perm=[0, 2, 1, 3])
        return graph.op("Reshape", mixed, graph.constant([0, 0, heads * head_size], "int64"))


EMITTER = _Portable()
