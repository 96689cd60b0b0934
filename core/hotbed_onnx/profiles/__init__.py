"""What a profile must emit. An architecture is described once, against this protocol.

A protocol and not a base class: profiles share no code, they answer the same questions.
"""

from __future__ import annotations

from importlib import import_module
from typing import Protocol

from hotbed_onnx.attention import Attention, Mask, Rope
from hotbed_onnx.families import PROFILES
from hotbed_onnx.graph import Graph

__all__ = ["Emitter", "emitter"]


class Emitter(Protocol):
    """The operators of one profile. Values are names; ``x`` is (batch, tokens, hidden) float32."""

    opset: int
    """The ONNX opset that the profile writes."""

    def mask(
        self,
        graph: Graph,
        padding: str,
        *,
        pairs: str = "",
        bias: str = "",
        shared_keys: bool = False,
    ) -> Mask:
        """Turn masks into what ``self_attention`` wants; made once for all layers alike.

        Args:
            graph: The graph.
            padding: (batch, tokens) int64, 0 on padding.
            pairs: (1, 1, tokens, tokens) bool: which token (row) sees which; ``""``: all.
            bias: (1, heads, tokens, tokens) float32, added to the scores; ``""``: nothing.
            shared_keys: Whether it is for attention whose query heads share keys and values.
        """

    def rope(self, graph: Graph, cos: str, sin: str, ids: str, positions: str = "") -> Rope:
        """Turn tables of angles into what ``self_attention`` wants; made once, as masks are.

        Args:
            graph: The graph.
            cos: Cosines, (rows, head size / 2) float32.
            sin: Sines, of the same shape.
            ids: (batch, tokens), for its shape.
            positions: Each token's row, (batch, tokens) int64; ``""``: its column.
        """

    def layer_norm(self, graph: Graph, x: str, scale: str, shift: str, eps: float) -> str:
        """Normalise the last axis; ``shift`` may be ``""``."""

    def rms_norm(self, graph: Graph, x: str, scale: str, eps: float) -> str:
        """Scale the last axis to a root mean square of 1, then by ``scale``."""

    def add_norm(
        self, graph: Graph, x: str, skip: str, bias: str, scale: str, shift: str, eps: float
    ) -> str:
        """Normalise ``x + bias + skip``; ``bias`` and ``shift`` may be ``""``."""

    def linear(self, graph: Graph, x: str, kernel: str) -> str:
        """``x @ kernel``; the kernel is (in, out)."""

    def bias_activation(self, graph: Graph, x: str, bias: str, activation: str) -> str:
        """``activation(x + bias)``."""

    def gated(self, graph: Graph, packed: str, activation: str) -> str:
        """``activation(a) * b``; ``packed`` holds a and b side by side, of equal width."""

    def self_attention(self, graph: Graph, packed: str, how: Attention) -> str:
        """Attend; ``packed`` is (batch, tokens, sum of ``how.widths``): q, k, v side by side."""


def emitter(profile: str) -> Emitter:
    """The emitter of a profile in ``hotbed_onnx.PROFILES``."""
    emit: Emitter = import_module(PROFILES[profile]).EMITTER
    return emit
