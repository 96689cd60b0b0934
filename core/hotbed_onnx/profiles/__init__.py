"""What a profile must emit. An architecture is described once, against this protocol.

A protocol and not a base class: profiles share no code, they answer the same questions.
"""

from __future__ import annotations

from importlib import import_module
from typing import Protocol

from hotbed_onnx.families import PROFILES
from hotbed_onnx.graph import Graph

__all__ = ["Emitter", "emitter"]


class Emitter(Protocol):
    """The operators of one profile. Values are names; ``x`` is (batch, tokens, hidden) float32."""

    opset: int
    """The ONNX opset that the profile writes."""

    def attention_mask(self, graph: Graph, mask: str) -> str:
        """Turn (batch, tokens) int64 into what ``self_attention`` wants; made once a graph."""

    def layer_norm(self, graph: Graph, x: str, scale: str, shift: str, eps: float) -> str:
        """Normalise the last axis."""

    def add_norm(
        self, graph: Graph, x: str, skip: str, bias: str, scale: str, shift: str, eps: float
    ) -> str:
        """Normalise ``x + bias + skip``."""

    def linear(self, graph: Graph, x: str, kernel: str) -> str:
        """``x @ kernel``; the kernel is (in, out)."""

    def bias_activation(self, graph: Graph, x: str, bias: str, activation: str) -> str:
        """``activation(x + bias)``."""

    def self_attention(
        self, graph: Graph, packed: str, bias: str, mask: str, heads: int, head_size: int
    ) -> str:
        """Attend; ``packed`` is (batch, tokens, 3 × hidden): q, k, v side by side, without bias."""


def emitter(profile: str) -> Emitter:
    """The emitter of a profile in ``hotbed_onnx.PROFILES``."""
    emit: Emitter = import_module(PROFILES[profile]).EMITTER
    return emit
