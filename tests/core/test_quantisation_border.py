"""The border of a ladder of plans: found in few trials, and left for a better one if need be."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from hotbed.fidelity import Fidelity
from hotbed.quantisation import Bounds, Mix, Trial
from hotbed.quantisation.border import Border
from hotbed.quantisation.planning import Option, Plan, Unit, plans

LAYERS = 40


def ladder() -> tuple[list[Unit], list[Plan]]:
    """Forty layers that differ in what they lose, each in float32 or rounded."""
    losses = [np.full(4, 1e-5 * 1.2**number) for number in range(LAYERS)]
    units = [
        Unit(
            layers=(f"layer{number}",),
            options=(Option("float32", 2.0, 8.0, np.zeros(4)), Option("r", 1.0, 2.0, loss)),
        )
        for number, loss in enumerate(losses)
    ]
    return units, plans(units, lambda found: float(found.mean()))


def fidelity(mean: float) -> Fidelity:
    """What a comparison would have given, all texts alike."""
    return Fidelity(texts=4, lowest=mean, percentile=mean, mean=mean, max_abs=0, neighbours=None)


class Engine:
    """Loses so many times what the layers' losses add up to, and remembers what was asked."""

    def __init__(self, units: list[Unit], found: list[Plan], factor: float) -> None:
        self._units = units
        self._plans = {tuple(sorted(plan.recipes(units).items())): plan for plan in found}
        self._factor = factor
        self.trials: list[Trial] = []

    def attempt(self, mix: Mix) -> Trial:
        """Give the fidelity of a mix."""
        layers = {unit.layers[0]: mix.recipe for unit in self._units} | dict(mix.layers)
        plan = self._plans[tuple(sorted(layers.items()))]
        mean = 1 - float(plan.losses.mean()) * self._factor
        self.trials.append(Trial(mix=mix, fidelity=fidelity(mean)))
        return self.trials[-1]

    @property
    def losses(self) -> list[float]:
        """What was lost, in the order of the trials."""
        return [1 - one.fidelity.mean for one in self.trials if one.fidelity is not None]


def border(engine: Engine, allowed: float) -> Border:
    """A border on the ladder, between what loses less than is allowed and what loses more."""
    units, found = ladder()
    bounds = Bounds(min_mean_cosine=1 - allowed)
    return Border(backend="b", bounds=bounds, units=units, ladder=found, attempt=engine.attempt)


@given(st.floats(0.2, 5), st.floats(1e-4, 0.02))
def test_the_border_is_found_in_few_trials(factor: float, allowed: float) -> None:
    """Whatever the layers' losses add up to is worth, the fastest that keeps the bound is tried."""
    units, found = ladder()
    engine = Engine(units, found, factor)
    border(engine, allowed).find(30)
    losses = [float(plan.losses.mean()) * factor for plan in found]
    keeping = [loss for loss in losses if 1 - loss >= 1 - allowed and loss > 0]
    if keeping:
        assert math.isclose(max(keeping), max(x for x in engine.losses if 1 - x >= 1 - allowed))
    assert len(engine.trials) <= 12  # a quarter less each time, of 41 plans


def test_a_miss_on_other_texts_leads_further() -> None:
    """What other texts lose is learned from; nothing is tried for what is not of the ladder."""
    engine, allowed = Engine(*ladder(), factor=1.0), 0.004
    searched = border(engine, allowed)
    searched.find(30)
    loss, best = max(
        pair for pair in zip(engine.losses, range(99), strict=False) if pair[0] <= allowed
    )
    before = len(engine.trials)
    searched.beyond(engine.trials[best], fidelity(1 - 1.5 * loss))
    assert len(engine.trials) == before + 1
    assert 0.5 * allowed < 1.5 * engine.losses[-1] <= allowed
    searched.beyond(Trial(mix=Mix(backend="b", recipe="other")), fidelity(0.5))
    assert len(engine.trials) == before + 1
