"""What a quantised model has to keep: a promise in numbers."""

from __future__ import annotations

from attrs import frozen

from hotbed.errors import UsageError
from hotbed.fidelity import Fidelity, Threshold

__all__ = ["Bounds"]


@frozen(kw_only=True)
class Bounds:
    """The bounds; None asks for nothing.

    Attributes:
        min_cosine: The lowest cosine of a text's vector to its float32 vector.
        min_mean_cosine: The mean of those cosines.
        max_size: Bytes of the files that hold the weights.
        min_speedup: Times as many texts a second as the float32 model on this machine.
        min_edge_cosine: Of one token, a row of padding, the longest text, a prompt left out.
    """

    min_cosine: float | None = None
    min_mean_cosine: float | None = None
    max_size: int | None = None
    min_speedup: float | None = None
    min_edge_cosine: float | None = None

    def __attrs_post_init__(self) -> None:
        problems = [
            f"{name}={value} is not between -1 and 1"
            for name, value in (
                ("min_cosine", self.min_cosine),
                ("min_mean_cosine", self.min_mean_cosine),
                ("min_edge_cosine", self.min_edge_cosine),
            )
            if value is not None and not -1 <= value <= 1
        ]
        if self.max_size is not None and self.max_size <= 0:
            problems.append(f"max_size={self.max_size} is not a number of bytes above 0")
        if self.min_speedup is not None and not self.min_speedup > 0:
            problems.append(f"min_speedup={self.min_speedup} is not above 0")
        if problems:
            raise UsageError("; ".join(problems))

    @property
    def threshold(self) -> Threshold:
        """The part of the promise that texts decide."""
        asked = {
            "lowest": self.min_cosine,
            "mean": self.min_mean_cosine,
            "edges": self.min_edge_cosine,
        }
        return Threshold(**{name: value for name, value in asked.items() if value is not None})

    def missed(self, fidelity: Fidelity, nbytes: int, speedup: float) -> str:
        """Name the bounds that a candidate misses; ``""`` if none."""
        missed = {
            "lowest cosine": self.min_cosine is not None and fidelity.lowest < self.min_cosine,
            "mean cosine": self.min_mean_cosine is not None
            and fidelity.mean < self.min_mean_cosine,
            "size": self.max_size is not None and nbytes > self.max_size,
            "speed": self.min_speedup is not None and speedup < self.min_speedup,
        }
        return ", ".join(name for name, is_missed in missed.items() if is_missed)

    def __str__(self) -> str:
        asked = (
            (self.min_cosine, "lowest cosine ≥ {}"),
            (self.min_mean_cosine, "mean cosine ≥ {}"),
            (self.min_edge_cosine, "cosine of edge cases ≥ {}"),
            (None if self.max_size is None else self.max_size / 1e6, "size ≤ {:g} MB"),
            (self.min_speedup, "speed ≥ {} × float32"),
        )
        return ", ".join(words.format(v) for v, words in asked if v is not None) or "no bounds"
