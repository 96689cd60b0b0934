"""ONNX Runtime's operators for CPUs; each was kept because it measured faster, or as fast."""

from __future__ import annotations

from hotbed_onnx.attention import Attention, Mask, Rope
from hotbed_onnx.graph import CONTRIB, Graph
from hotbed_onnx.profiles.activations import activate
from hotbed_onnx.profiles.plain import LOWEST, additive_mask, attend, heads_apart, split

__all__ = ["EMITTER"]

_TANH_GELUS = ("gelu_new", "gelu_pytorch_tanh")


class _Cpu:
    opset = 17

    def mask(
        self,
        graph: Graph,
        padding: str,
        *,
        pairs: str = "",
        bias: str = "",
        shared_keys: bool = False,
    ) -> Mask:
        """MultiHeadAttention's raw key padding mask, (batch, tokens) int32, and its bias."""
        if shared_keys:
            return Mask(scores=additive_mask(graph, padding, pairs=pairs, bias=bias))
        key_padding = graph.op("Cast", padding, to=6)  # 6 = INT32
        if pairs:
            # Padding takes 10,000 from a score, so the lowest float beside it stays finite.
            lowest, zero = graph.constant(LOWEST, "float32"), graph.constant(0.0, "float32")
            hidden = graph.op("Where", pairs, zero, lowest)
            bias = graph.op("Add", bias, hidden) if bias else hidden
        if bias:
            return Mask(padding=key_padding, scores=bias)
        least = graph.op("ReduceMin", key_padding, keepdims=0)
        return Mask(padding=key_padding, unneeded=graph.op("Cast", least, to=9))  # 9 = BOOL

    def rope(self, graph: Graph, cos: str, sin: str, ids: str, positions: str = "") -> Rope:
        """The tables themselves: RotaryEmbedding reads its rows, from row 0 on or as told."""
        return Rope(cos, sin, positions or graph.constant([0], "int64"))

    def layer_norm(self, graph: Graph, x: str, scale: str, shift: str, eps: float) -> str:
        inputs = (x, scale, shift) if shift else (x, scale)
        return graph.op("LayerNormalization", *inputs, axis=-1, epsilon=eps)

    def rms_norm(self, graph: Graph, x: str, scale: str, eps: float) -> str:
        # ONNX Runtime's own, though it stands in ONNX's domain.
        return graph.op("SimplifiedLayerNormalization", x, scale, axis=-1, epsilon=eps)

    def add_norm(
        self, graph: Graph, x: str, skip: str, bias: str, scale: str, shift: str, eps: float
    ) -> str:
        # Not SkipLayerNormalization: on CPUs it is slower than its parts (docs/performance.md).
        total = graph.op("Add", graph.op("Add", x, bias) if bias else x, skip)
        return self.layer_norm(graph, total, scale, shift, eps)

    def linear(self, graph: Graph, x: str, kernel: str) -> str:
        return graph.op("MatMul", x, kernel)

    def bias_activation(self, graph: Graph, x: str, bias: str, activation: str) -> str:
        if activation == "gelu":
            return graph.op("BiasGelu", x, bias, domain=CONTRIB)
        return activate(graph, graph.op("Add", x, bias), activation)

    def gated(self, graph: Graph, packed: str, activation: str) -> str:
        a, b = split(graph, packed, "ab")
        if activation == "gelu":
            a = graph.op("Gelu", a, domain=CONTRIB)
        elif activation in _TANH_GELUS:
            a = graph.op("FastGelu", a, domain=CONTRIB)
        else:
            a = activate(graph, a, activation)
        return graph.op("Mul", a, b)

    def self_attention(self, graph: Graph, packed: str, how: Attention) -> str:
        shared = how.kv_heads != how.heads
        bias = how.bias
        if bias and (shared or how.rope or how.norm):
            packed, bias = graph.op("Add", packed, bias), ""
        query, key, value = split(graph, packed, "qkv", how.widths if shared else ())
        if how.norm:
            query = self._head_norm(graph, query, how.norm.query, how, how.norm.eps)
            key = self._head_norm(graph, key, how.norm.key, how, how.norm.eps)
        if how.rope:
            query, key = (_rotate(graph, x, how.rope) for x in (query, key))
        if shared:
            # MultiHeadAttention would want a copy of the keys for every query head.
            query, key, value = (heads_apart(graph, x, how.head_size) for x in (query, key, value))
            return attend(graph, query, key, value, how)

        def attend_to(*mask: str) -> str:
            return graph.op(
                "MultiHeadAttention",
                *(query, key, value, bias, *mask),
                domain=CONTRIB,
                num_heads=how.heads,
                scale=how.scale,
            )

        def all_tokens() -> str:
            return attend_to()

        def real_tokens() -> str:
            scores = (how.mask.scores,) if how.mask.scores else ()
            return attend_to(how.mask.padding, *scores)

        if not how.mask.unneeded:
            return real_tokens()
        # Without a mask the operator holds a block of the scores at a time and not all of them: on
        # long texts a tenth of the memory and two thirds of the time (docs/performance.md).
        return graph.choose(how.mask.unneeded, all_tokens, real_tokens)

    def _head_norm(self, graph: Graph, x: str, scale: str, how: Attention, eps: float) -> str:
        heads = graph.op("Reshape", x, graph.constant([0, 0, -1, how.head_size], "int64"))
        normed = self.rms_norm(graph, heads, scale, eps)
        return graph.op("Reshape", normed, graph.constant([0, 0, -1], "int64"))


def _rotate(graph: Graph, x: str, rope: Rope) -> str:
    inputs = (x, rope.positions, rope.cos, rope.sin)
    return graph.op("RotaryEmbedding", *inputs, domain=CONTRIB)


EMITTER = _Cpu()
