"""The border between plans that keep the bounds and plans that do not."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from attrs import define, field

from hotbed.fidelity import Fidelity
from hotbed.quantisation.bounds import Bounds
from hotbed.quantisation.mixes import Mix, Trial
from hotbed.quantisation.planning import Plan, Unit

__all__ = ["Border"]

_MARGIN = 0.9
"""Share of the loss allowed that a prediction may use up."""

_NARROWS = 4
"""Each trial takes at least one part in so many off what is left to search: predictions that are
wrong one after the other would make this a walk."""

_ROOM = 1.02
"""Times the size allowed up to which a plan is tried: its own size is a prediction too."""


@define(kw_only=True, eq=False)
class Border:
    """A ladder of plans, from fast to faithful, and what came of those that were tried.

    Attributes:
        backend: Whose plans these are.
        bounds: What divides them.
        units: What the plans are plans of.
        ladder: The plans.
        attempt: Writes, compares and times a mix.
    """

    backend: str
    bounds: Bounds
    units: Sequence[Unit]
    ladder: Sequence[Plan]
    attempt: Callable[[Mix], Trial]
    _mean_factor: float = field(default=1.0, init=False)
    _worst_factor: float = field(default=1.0, init=False)
    _mixes: dict[int, Mix] = field(factory=dict, init=False)

    def find(self, trials: int) -> None:
        """Halve what lies between the last that misses and the first that keeps the bounds."""
        missed, kept = -1, len(self.ladder)
        if self.bounds.max_size is not None:  # what is more faithful is larger
            kept = sum(plan.nbytes <= self.bounds.max_size * _ROOM for plan in self.ladder)
        for _ in range(trials):
            if kept - missed <= 1:
                return
            place = self._next(missed, kept)
            trial = self._try(place)
            if trial is None:  # float32 itself
                kept = place
                continue
            if self._misses(trial):
                missed = place
            else:
                kept = place
            if trial.fidelity is not None:
                self._learn(place, trial.fidelity)

    def _misses(self, trial: Trial) -> bool:
        if trial.fidelity is None or trial.refused:
            return True
        return bool(self.bounds.threshold.shortfall(trial.fidelity))

    def beyond(self, trial: Trial, found: Fidelity) -> None:
        """Try the first plan above one that should keep the bounds, by what other texts told.

        Args:
            trial: What kept the bounds on the texts to choose by; where it is none of the plans,
                nothing is tried.
            found: What it kept on others.
        """
        places = [place for place, mix in self._mixes.items() if mix.same_as(trial.mix)]
        if not places:
            return
        self._learn(places[0], found)
        most = self.bounds.max_size
        for place in range(places[0] + 1, len(self.ladder)):
            plan = self.ladder[place]
            small = most is None or plan.nbytes <= most * _ROOM
            if place not in self._mixes and small and self._predicted(plan):
                self._try(place)
                return

    def _try(self, place: int) -> Trial | None:
        """Try a plan; None where it leaves everything in float32."""
        mix = Mix.of(self.backend, *self._recipe(self.ladder[place]))
        if not mix.recipe:
            return None
        self._mixes[place] = mix
        return self.attempt(mix)

    def _recipe(self, plan: Plan) -> tuple[str, dict[str, str]]:
        """The recipe that most of the work is in, and each layer's; none for float32 alone."""
        layers = plan.recipes(self.units)
        shares: dict[str, float] = {}
        for option, unit in zip(plan.chosen, self.units, strict=True):
            if option is not unit.options[0]:
                weight = unit.options[0].seconds or 1e-9
                shares[option.recipe] = shares.get(option.recipe, 0.0) + weight
        return (max(shares, key=lambda name: shares[name]) if shares else ""), layers

    def _next(self, missed: int, kept: int) -> int:
        """The first plan that is predicted to keep the bounds, but no walk to it step by step."""
        inside = range(missed + 1, kept)
        predicted = next((p for p in inside if self._predicted(self.ladder[p])), kept - 1)
        if not self._mixes:
            return predicted
        least = (kept - missed) // _NARROWS
        return min(max(predicted, missed + max(1, least)), kept - max(1, least))

    def _predicted(self, plan: Plan) -> bool:
        mean = 1 - float(plan.losses.mean()) * self._mean_factor / _MARGIN
        lowest = 1 - float(plan.losses.max()) * self._worst_factor / _MARGIN
        least = self.bounds.threshold
        return mean >= least.mean and lowest >= least.lowest

    def _learn(self, place: int, found: Fidelity) -> None:
        """How much more or less is lost than the layers' losses add up to."""
        losses = self.ladder[place].losses
        if losses.any():
            self._mean_factor = (1 - found.mean) / max(float(losses.mean()), 1e-9)
            self._worst_factor = (1 - found.lowest) / max(float(losses.max()), 1e-9)
