"""Which recipe for which layer, as a value, and what came of trying it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import attrs
from attrs import field, frozen

from hotbed.backends.values import Recipe
from hotbed.fidelity import Fidelity
from hotbed.tuning.timing import Spread

__all__ = ["FLOAT32", "Mix", "Trial", "frontier"]

FLOAT32 = "float32"
"""What a layer is that a recipe leaves out."""


@frozen(kw_only=True)
class Mix:
    """A recipe, and the layers that get another one.

    Attributes:
        backend: Who quantises.
        recipe: The recipe of all other layers, by which the file is named and asked for.
        layers: (layer, recipe) where it differs; ``float32`` leaves a layer out.
        counts: Recipe → layers, for people; empty where the layers are not known.
    """

    backend: str
    recipe: str
    layers: tuple[tuple[str, str], ...] = ()
    counts: tuple[tuple[str, int], ...] = ()

    @classmethod
    def of(cls, backend: str, recipe: str, plan: Mapping[str, str]) -> Mix:
        """From every layer's recipe."""
        different = tuple(sorted((name, how) for name, how in plan.items() if how != recipe))
        counts = tuple(Counter(plan.values()).most_common())
        return cls(backend=backend, recipe=recipe, layers=different, counts=counts)

    def same_as(self, other: Mix) -> bool:
        """Whether it would write the same file."""
        mine = (self.backend, self.recipe, self.layers)
        return mine == (other.backend, other.recipe, other.layers)

    def as_recipe(self) -> Recipe:
        """What the backend is asked for."""
        options = {"layers": dict(self.layers)} if self.layers else {}
        return Recipe(name=self.recipe, options=options)

    def __str__(self) -> str:
        if not self.layers:
            return self.recipe
        return " + ".join(f"{count} {name}" for name, count in self.counts)


@frozen(kw_only=True)
class Trial:
    """A mix that was written, opened, compared and timed.

    Attributes:
        mix: What was tried.
        nbytes: Bytes of its files.
        fidelity: To float32, on the texts to choose by; None where it failed.
        speedup: Times as fast as float32, round by round; None where it was not timed.
        batch_dependent: Whether a text's vector depends on the texts beside it.
        missed: Which bound it misses, or why it failed; ``""`` where it keeps all.
        held_out: To float32, on texts that had no say in the choice; None where that was not asked.
        leads: Whether nothing tried is at least as good in speed, size and fidelity.
        refused: Whether the gate refused it, on the texts that the promise is checked on.
    """

    mix: Mix
    nbytes: int = 0
    fidelity: Fidelity | None = None
    speedup: Spread | None = None
    batch_dependent: bool = False
    missed: str = ""
    held_out: Fidelity | None = field(default=None)
    leads: bool = False
    refused: bool = False

    @property
    def speed(self) -> float:
        """Times as fast as float32; 0 where it was not timed."""
        return self.speedup.median if self.speedup else 0.0

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return {**attrs.asdict(self), "layers": dict(self.mix.layers), "name": str(self.mix)}


def frontier(trials: list[Trial]) -> list[Trial]:
    """Mark those that nothing else beats in speed, size and fidelity together."""
    return [attrs.evolve(one, leads=_leads(one, trials)) for one in trials]


def _leads(one: Trial, trials: list[Trial]) -> bool:
    mine = _merits(one)
    if mine is None:
        return False
    others = (merits for other in trials if (merits := _merits(other)) and merits != mine)
    return not any(all(a >= b for a, b in zip(other, mine, strict=True)) for other in others)


def _merits(one: Trial) -> tuple[float, float, float] | None:
    if one.fidelity is None or one.speedup is None:
        return None
    return one.speedup.median, -one.nbytes, one.fidelity.mean
