"""Which recipe for which layer is fastest for how much loss: the choices that a price can buy.

Every layer has options that cost time and lose fidelity. What is lost adds up over layers, nearly,
and so does time. For a price on loss each layer's best option is its own affair, and as the price
rises the layers move one after the other from fast to faithful. That gives every plan of the
trade-off's convex hull (Everett 1963, doi:10.1287/opre.11.3.399), without searching all plans.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence

import numpy as np
from attrs import frozen
from numpy.typing import NDArray

__all__ = ["Option", "Plan", "Unit", "plans"]

Losses = NDArray[np.float64]


@frozen(eq=False)
class Option:
    """One recipe for a unit.

    Attributes:
        recipe: Its name.
        seconds: What the unit's work takes so, in any unit of time.
        nbytes: What its weights take.
        losses: 1 - cosine of each text where only this unit is so, (texts,) float64.
    """

    recipe: str
    seconds: float
    nbytes: float
    losses: Losses


@frozen(kw_only=True, eq=False)
class Unit:
    """Layers that are treated alike.

    Attributes:
        layers: Their names.
        options: What they can be; the first is float32.
    """

    layers: tuple[str, ...]
    options: tuple[Option, ...]


@frozen(kw_only=True, eq=False)
class Plan:
    """An option for every unit.

    Attributes:
        chosen: The options, in the units' order.
        seconds: Their sum.
        nbytes: Their sum.
        losses: Their sum, text by text.
    """

    chosen: tuple[Option, ...]
    seconds: float
    nbytes: float
    losses: Losses

    @classmethod
    def of(cls, chosen: Sequence[Option]) -> Plan:
        """Add up."""
        return cls(
            chosen=tuple(chosen),
            seconds=sum(option.seconds for option in chosen),
            nbytes=sum(option.nbytes for option in chosen),
            losses=np.sum([option.losses for option in chosen], axis=0),
        )

    def recipes(self, units: Sequence[Unit]) -> dict[str, str]:
        """Layer → recipe."""
        return {
            layer: option.recipe
            for unit, option in zip(units, self.chosen, strict=True)
            for layer in unit.layers
        }


def plans(
    units: Sequence[Unit],
    loss: Callable[[Losses], float],
    *,
    byte_price: float = 0.0,
) -> list[Plan]:
    """The plans of the hull, from the cheapest to the most faithful.

    Args:
        units: The layers.
        loss: What counts of the texts' losses, as one number; it must add up as they do.
        byte_price: Seconds that a byte counts as, where size matters too.
    """

    def cost(option: Option) -> float:
        return option.seconds + byte_price * option.nbytes

    hulls = [_hull(unit.options, cost, loss) for unit in units]
    moves = []
    for place, hull in enumerate(hulls):
        for step, (a, b) in enumerate(itertools.pairwise(hull), 1):
            price = (cost(b) - cost(a)) / (loss(a.losses) - loss(b.losses))
            moves.append((price, place, step))
    chosen = [hull[0] for hull in hulls]
    found = [Plan.of(chosen)]
    for _, place, step in sorted(moves):
        chosen[place] = hulls[place][step]
        found.append(Plan.of(chosen))
    return found


def _hull(
    options: Sequence[Option],
    cost: Callable[[Option], float],
    loss: Callable[[Losses], float],
) -> list[Option]:
    """Options that some price makes best, the cheapest first; each next loses less."""

    def saved(a: Option, b: Option) -> float:
        """Loss that goes for each second more."""
        more = cost(b) - cost(a)
        return (loss(a.losses) - loss(b.losses)) / more if more > 0 else np.inf

    ordered = sorted(options, key=lambda option: (cost(option), loss(option.losses)))
    hull: list[Option] = []
    for option in ordered:
        if hull and loss(option.losses) >= loss(hull[-1].losses):
            continue
        while len(hull) > 1 and saved(hull[-2], hull[-1]) <= saved(hull[-1], option):
            hull.pop()
        hull.append(option)
    return hull
