"""What came of trials, as points of a plot."""

from __future__ import annotations

import math
from collections.abc import Iterable

from attrs import frozen

from hotbed.quantisation.found import Found
from hotbed.quantisation.mixes import Trial

__all__ = ["Point", "border", "loss", "points_of"]

_LEAST_LOSS = 1e-7
"""Where 1 - cosine is drawn that is smaller: float32 can hardly tell nearer vectors apart."""

_LARGEST = 520.0
"""Area of the largest marker, in square points."""

_SMALLEST = 24.0
"""Area below which a marker cannot be seen to be filled or not."""


def loss(cosine: float) -> float:
    """1 - cosine as it is drawn: never so small that it has no logarithm."""
    return max(1 - cosine, _LEAST_LOSS)


@frozen(kw_only=True)
class Point:
    """A trial that was measured.

    Attributes:
        number: Its row in the table, from 1.
        trial: The trial.
        x: Times as fast as float32.
        y: 1 - mean cosine.
        least: Its slowest round.
        most: Its fastest round.
        worst: 1 - lowest cosine.
        area: Of its marker, in square points; proportional to its bytes.
    """

    number: int
    trial: Trial
    x: float
    y: float
    least: float
    most: float
    worst: float
    area: float

    @property
    def span(self) -> float:
        """Its diameter, in points."""
        return 2 * math.sqrt(self.area / math.pi)


def points_of(found: Found) -> list[Point]:
    """Give the trials that were measured."""
    largest = max([found.float32_bytes, *(one.nbytes for one in found.trials), 1])
    return [
        Point(
            number=number,
            trial=one,
            x=one.speedup.median,
            y=loss(one.fidelity.mean),
            least=one.speedup.least,
            most=one.speedup.most,
            worst=loss(one.fidelity.lowest),
            area=max(_SMALLEST, _LARGEST * one.nbytes / largest),
        )
        for number, one in enumerate(found.trials, 1)
        if one.fidelity is not None and one.speedup is not None
    ]


def border(points: Iterable[Point]) -> list[Point]:
    """Those that nothing else beats in what the axes show; the file's size is not on them."""
    best: list[Point] = []
    for point in sorted(points, key=lambda one: (-one.x, one.y)):
        if not best or point.y < best[-1].y:
            best.append(point)
    return best
