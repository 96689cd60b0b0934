"""A search under way: what was tried, what each layer loses, and what is the best so far."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence

import numpy as np
from attrs import define, evolve, field
from numpy.typing import NDArray

from hotbed.errors import FidelityError
from hotbed.quantisation.asked import Asked, Watch
from hotbed.quantisation.bench import Bench
from hotbed.quantisation.border import Border
from hotbed.quantisation.forecast import Forecast
from hotbed.quantisation.mixes import Mix, Trial
from hotbed.quantisation.planning import Plan, Unit, plans
from hotbed.quantisation.sensitivity import Sensitivity, measure_units, units_of, worth_mixing
from hotbed.quantisation.sources import Source

__all__ = ["Hunt"]

Losses = NDArray[np.float64]

_BYTES_COUNT = 0.1
"""Share of the float32 model's time that all of its bytes count as: a quarter of the size is worth
7 % of the speed. Without it a table, which costs no time, would never shrink."""

_BYTE_PRICES = (1.0, 4.0, 16.0, 64.0)
"""Times that, where size is bounded, until the bound is kept."""

_WHOLES, _LAYERS, _MIXES = "whole forms", "measurements of layers", "mixes"

_log = logging.getLogger("hotbed.quantisation")

_TAIL = 10
"""One text in so many counts towards the lowest cosine."""


@define(kw_only=True, eq=False)
class Hunt:
    """A search under way."""

    bench: Bench
    asked: Asked
    watch: Watch
    trials: list[Trial] = field(factory=list)
    sensitivities: list[Sensitivity] = field(factory=list)
    _borders: dict[str, Border] = field(factory=dict, init=False)
    _forecast: Forecast = field(init=False)

    def expect(self, sources: Sequence[Source]) -> None:
        """Say how much will come, and how long it takes, by what float32 took."""
        tried = [one.mix for one in self.trials]
        wholes = sum(
            not any(mix.same_as(Mix(backend=source.backend, recipe=recipe)) for mix in tried)
            for source in sources
            for recipe in source.recipes
        )
        layers = sum(len(units_of(s.layers)) * min(2, len(s.mixing)) for s in sources)
        mixes = sum(min(self.asked.trials, _halvings(s)) for s in sources if s.mixing)
        whole, layer = self.bench.guess(sources)
        self._forecast = Forecast(
            left={_WHOLES: wholes, _LAYERS: layers, _MIXES: mixes},
            takes={_WHOLES: whole, _LAYERS: layer, _MIXES: whole},
        )
        self._forecast.announce()

    def try_wholes(self, sources: Sequence[Source]) -> None:
        """Try every recipe on all layers."""
        self.watch.expect(sum(len(source.recipes) for source in sources))
        for source in sources:
            for recipe in source.recipes:
                self._try(source, Mix(backend=source.backend, recipe=recipe), _WHOLES)
        self._forecast.none_left(_WHOLES)

    def mix(self, source: Source) -> None:
        """Try mixes of one backend's recipes."""
        asked = self.asked
        size = asked.smallest or asked.bounds.max_size is not None
        recipes = worth_mixing(source, self.trials, size=size, dependent=asked.dependent)
        if not recipes or not source.layers:
            return
        self._forecast.left[_LAYERS] = len(units_of(source.layers)) * len(recipes)
        units = self._measured(source, recipes)
        for price in _BYTE_PRICES[-1:] if asked.smallest else _BYTE_PRICES:
            ladder = self._ladder(units, price)
            if self._small_enough(ladder):
                break
        border = Border(
            backend=source.backend,
            bounds=asked.bounds,
            units=units,
            ladder=ladder,
            attempt=lambda mix: self._try(source, mix),
        )
        self._borders[source.backend] = border
        self.watch.expect(asked.trials)
        border.find(asked.trials)
        self._forecast.none_left(_MIXES)

    def best(self) -> Trial | None:
        """What keeps all bounds, as far as is known, and does it best."""
        rank = _smallest if self.asked.smallest else _fastest
        return min((one for one in self.trials if not one.missed), key=rank, default=None)

    def refuse(self, one: Trial, error: FidelityError) -> None:
        """Note that a trial missed on held-out texts, and try the next that should keep them."""
        said = error.report.shortfall if error.report is not None else str(error)
        self.replace(one, evolve(one, missed=f"on held-out texts: {said}", refused=True))
        border = self._borders.get(one.mix.backend)
        if border is not None and error.report is not None and error.report.overall is not None:
            border.beyond(one, error.report.overall)

    def replace(self, one: Trial, other: Trial) -> None:
        """Put what is known now in place of what was."""
        self.trials[self.trials.index(one)] = other

    def _try(self, source: Source, mix: Mix, kind: str = "") -> Trial:
        self.watch.step(f"{source.backend}: {mix}")
        if same := [one for one in self.trials if one.mix.same_as(mix)]:
            return same[0]
        started = time.perf_counter()
        trial = self.bench.trial(source, mix)
        if not trial.missed and trial.batch_dependent and not self.asked.dependent:
            trial = evolve(trial, missed="a text's vector depends on the texts beside it")
        self.trials.append(trial)
        _log.info("%s %s: %s", source.backend, mix, _in_words(trial))
        self._forecast.done(kind or _MIXES, str(mix), time.perf_counter() - started)
        return trial

    def _measured(self, source: Source, recipes: Sequence[str]) -> list[Unit]:
        self.watch.expect(len(recipes) * len(units_of(source.layers)))
        units = []
        told, started = False, time.perf_counter()
        for what, unit in measure_units(self.bench, source, self.trials, recipes):
            if unit is None:
                self.watch.step(f"{source.backend}: {what}")
                continue
            for _ in unit.options[1:]:
                seconds = (time.perf_counter() - started) / len(unit.options[1:])
                self._forecast.done(_LAYERS, what, seconds)
            if not told:
                told = True
                self._forecast.announce()
            started = time.perf_counter()
            units.append(unit)
            self.sensitivities += [
                Sensitivity(
                    backend=source.backend,
                    layers=unit.layers,
                    recipe=option.recipe,
                    mean=float(option.losses.mean()),
                    worst=float(option.losses.max()),
                )
                for option in unit.options[1:]
            ]
        return units

    def _ladder(self, units: Sequence[Unit], price: float) -> list[Plan]:
        """Plans from fast to faithful."""
        whole = sum(unit.options[0].nbytes for unit in units)
        byte_price = price * _BYTES_COUNT * self.bench.seconds / whole
        return plans(units, self._loss(units), byte_price=byte_price)

    def _loss(self, units: Sequence[Unit]) -> Callable[[Losses], float]:
        """The mean over texts; where the lowest counts, over those that lose most."""
        if self.asked.bounds.min_cosine is None:
            return lambda losses: float(losses.mean())
        total = np.sum([option.losses for u in units for option in u.options], axis=0)
        worst = np.argsort(-total, kind="stable")[: max(1, len(total) // _TAIL)]
        return lambda losses: float(losses[worst].mean())

    def _small_enough(self, ladder: Sequence[Plan]) -> bool:
        most = self.asked.bounds.max_size
        return most is None or any(plan.nbytes <= most for plan in ladder)


def _halvings(source: Source) -> int:
    """Trials that find a border among as many plans as there are steps, and one for luck."""
    return len(units_of(source.layers)).bit_length() + 1


def _in_words(trial: Trial) -> str:
    if trial.fidelity is None:
        return f"failed: {trial.missed}"
    found = trial.fidelity
    verdict = f"misses: {trial.missed}" if trial.missed else "keeps all"
    return f"lowest cosine {found.lowest:.4f}, mean {found.mean:.4f}; {verdict}"


def _fastest(one: Trial) -> tuple[float, ...]:
    """The fastest first, in steps of a twentieth; within a step the smallest, then the nearest."""
    assert one.fidelity is not None
    return -round(one.speed * 20), one.nbytes, -one.fidelity.mean


def _smallest(one: Trial) -> tuple[float, ...]:
    """The smallest first, then the nearest."""
    assert one.fidelity is not None
    return one.nbytes, -one.fidelity.mean
