"""How near a result must be to the reference, by its arithmetic."""

from __future__ import annotations

from attrs import frozen

from hotbed.backends.manifest import dtype_name
from hotbed.fidelity.compare import Fidelity

__all__ = ["WORTH_A_WARNING", "Threshold", "threshold"]


@frozen(kw_only=True)
class Threshold:
    """The cosines that a result has to reach; −1, the least there is, asks for nothing.

    Edge cases have bounds of their own: they are no share of the mean over ordinary texts.

    Attributes:
        lowest: Of every ordinary text.
        mean: Of ordinary texts on average.
        edges: Of one token alone, a row of padding, the longest text, a prompt left out.
        repetition: Of texts that repeat themselves.
    """

    lowest: float = -1.0
    mean: float = -1.0
    edges: float = -1.0
    repetition: float = -1.0

    def shortfall(self, found: Fidelity) -> str:
        """Say what falls short; ``""`` if nothing does."""
        asked = (("lowest", self.lowest, found.lowest), ("mean", self.mean, found.mean))
        return "; ".join(
            f"{name} cosine {value:.6f}, and at least {least} is asked for"
            for name, least, value in asked
            if value < least
        )


def _every(lowest: float) -> Threshold:
    """One bound for texts of every kind."""
    return Threshold(lowest=lowest, edges=lowest, repetition=lowest)


WORTH_A_WARNING = 0.9
"""Below this an edge case is told wherever fidelity is shown, whether or not it is refused."""

_EIGHT_BITS = Threshold(mean=0.99, edges=WORTH_A_WARNING)
"""Repetition is measured and told, and not refused: mpnet's static int8 keeps 0.993 of ordinary
texts and 0.5 of one word repeated to the end (docs/quantisation.md), and who embeds sentences would
lose a form that serves them all."""

_BY_DTYPE = {
    "float32": _every(0.99999),
    "float16": _every(0.9999),
    "bfloat16": _every(0.999),
    "int8": _EIGHT_BITS,
    "uint8": _EIGHT_BITS,
    "q8": _EIGHT_BITS,
    "w8": _EIGHT_BITS,
}
_STATED = Threshold()
"""4-bit forms lose what they lose: the figure is stated, and nothing is asked for."""


def threshold(dtype: str) -> Threshold:
    """The threshold of a dtype, in any of its spellings.

    >>> threshold("bf16").lowest
    0.999
    """
    return _BY_DTYPE.get(dtype_name(dtype), _STATED)
