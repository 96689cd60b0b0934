"""ONNX Runtime's fused operators for CPUs; each was kept because it measured faster."""

from __future__ import annotations

import math

from hotbed_onnx.graph import CONTRIB, Graph
from hotbed_onnx.profiles.activations import activate

__all__ = ["EMITTER"]


class _Cpu:
    opset = 17

    def attention_mask(self, graph: Graph, mask: str) -> str:
        """(batch, tokens) int32, 1 on tokens: MultiHeadAttention's raw key padding mask."""
        return graph.op("Cast", mask, to=6)  # 6 = INT32

    def layer_norm(self, graph: Graph, x: str, scale: str, shift: str, eps: float) -> str:
        return graph.op("LayerNormalization", x, scale, shift, axis=-1, epsilon=eps)

    def add_norm(
        self, graph: Graph, x: str, skip: str, bias: str, scale: str, shift: str, eps: float
    ) -> str:
        # Not SkipLayerNormalization: on CPUs it is slower than its parts (docs/performance.md).
        total = graph.op("Add", graph.op("Add", x, bias), skip)
        return self.layer_norm(graph, total, scale, shift, eps)

    def linear(self, graph: Graph, x: str, kernel: str) -> str:
        return graph.op("MatMul", x, kernel)

    def bias_activation(self, graph: Graph, x: str, bias: str, activation: str) -> str:
        if activation == "gelu":
            return graph.op("BiasGelu", x, bias, domain=CONTRIB)
        return activate(graph, graph.op("Add", x, bias), activation)

    def self_attention(
        self, graph: Graph, packed: str, bias: str, mask: str, heads: int, head_size: int
    ) -> str:
        label = packed.rpartition("/")[2]
        parts = graph.ops(
            "Split", packed, names=tuple(f"{label}_{part}" for part in "qkv"), axis=-1
        )
        return graph.op(
            "MultiHeadAttention",
            *parts,
            bias,
            mask,
            domain=CONTRIB,
            num_heads=heads,
            scale=1.0 / math.sqrt(head_size),
        )


EMITTER = _Cpu()
