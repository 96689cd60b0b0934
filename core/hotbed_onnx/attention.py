"""What a layer's self-attention is, as data that every profile reads."""

from __future__ import annotations

import math

from attrs import field, frozen

__all__ = ["Attention", "HeadNorm", "Mask", "Rope"]


@frozen(kw_only=True)
class Mask:
    """Which tokens see which, in the form that one profile wants. Made once, used by many layers.

    Attributes:
        padding: What hides padding; ``""`` where ``scores`` does.
        scores: Added to the scores before the softmax; ``""`` for nothing.
        unneeded: Whether nothing is padding, a bool scalar; ``""`` where that makes no difference.
    """

    padding: str = ""
    scores: str = ""
    unneeded: str = ""


@frozen
class Rope:
    """Rotary position embeddings (Su et al. 2021, arXiv:2104.09864), in the form of one profile.

    The head's first half is rotated with its second, as in GPT-NeoX.

    Attributes:
        cos: Cosines.
        sin: Sines.
        positions: Each token's row in them, where they hold more rows than the tokens'.
    """

    cos: str
    sin: str
    positions: str = ""


@frozen(kw_only=True)
class HeadNorm:
    """RMS normalisation of each head's queries and keys, before they are rotated.

    Attributes:
        query: Scale, (head size,) float32.
        key: The same for keys.
        eps: Added to the mean square.
    """

    query: str
    key: str
    eps: float


@frozen(kw_only=True)
class Attention:
    """Self-attention over packed projections.

    Attributes:
        heads: Query heads.
        head_size: Units of each head.
        mask: Which tokens see which.
        bias: Of the packed projections; ``""`` for none.
        kv_heads: Heads of keys and values, each shared by ``heads / kv_heads`` query heads.
        scale: What scores are multiplied with; 1/√(head size) by default.
        rope: Rotary positions, where the model has them.
        norm: Normalisation of queries and keys, where the model has it.
    """

    heads: int
    head_size: int
    mask: Mask
    bias: str = ""
    kv_heads: int = field()
    scale: float = field()
    rope: Rope | None = None
    norm: HeadNorm | None = None

    @kv_heads.default
    def _one_for_each_query_head(self) -> int:
        return self.heads

    @scale.default
    def _usual_scale(self) -> float:
        return 1.0 / math.sqrt(self.head_size)

    @property
    def widths(self) -> tuple[int, int, int]:
        """Units of the packed queries, keys and values."""
        keys = self.kv_heads * self.head_size
        return self.heads * self.head_size, keys, keys
