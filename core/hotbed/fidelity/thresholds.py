"""How near a result must be to the reference, by its arithmetic."""

from __future__ import annotations

from attrs import frozen

from hotbed.backends.manifest import dtype_name
from hotbed.fidelity.compare import Fidelity

__all__ = ["Threshold", "threshold"]


@frozen(kw_only=True)
class Threshold:
    """The cosines that a result has to reach; −1, the least there is, asks for nothing.

    Attributes:
        lowest: Of every text.
        mean: On average.
    """

    lowest: float = -1.0
    mean: float = -1.0

    def shortfall(self, found: Fidelity) -> str:
        """Say what falls short; ``""`` if nothing does."""
        asked = (("lowest", self.lowest, found.lowest), ("mean", self.mean, found.mean))
        return "; ".join(
            f"{name} cosine {value:.6f}, and at least {least} is asked for"
            for name, least, value in asked
            if value < least
        )


_BY_DTYPE = {
    "float32": Threshold(lowest=0.99999),
    "float16": Threshold(lowest=0.9999),
    "bfloat16": Threshold(lowest=0.999),
    "int8": Threshold(mean=0.99),
    "uint8": Threshold(mean=0.99),
    "q8": Threshold(mean=0.99),
    "w8": Threshold(mean=0.99),
}
_STATED = Threshold()
"""4-bit forms lose what they lose: the figure is stated, and nothing is asked for."""


def threshold(dtype: str) -> Threshold:
    """The threshold of a dtype, in any of its spellings.

    >>> threshold("bf16").lowest
    0.999
    """
    return _BY_DTYPE.get(dtype_name(dtype), _STATED)
