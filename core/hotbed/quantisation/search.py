"""Find the fastest way of quantising a model that keeps a promise.

Every recipe is tried as a whole. Then each layer is tried alone in each recipe worth mixing, and
from what it loses and saves the plans on the trade-off's hull are made. They are ordered from fast
to faithful, so the border between those that keep the bounds and those that do not is found by
halving, each step a real file, written, compared and timed. What is chosen is written once more
and has to keep the promise on texts that had no say; if it does not, the next one is taken.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
from attrs import define, evolve, field, frozen
from numpy.typing import NDArray

from hotbed.conversion import Converted, quantize_into
from hotbed.errors import BoundsError, FidelityError
from hotbed.loading import House
from hotbed.measurements import Machine, this_machine
from hotbed.models.folder import ModelFolder
from hotbed.quantisation.bench import Bench, open_bench
from hotbed.quantisation.bounds import Bounds
from hotbed.quantisation.mixes import Mix, Trial, frontier
from hotbed.quantisation.planning import Plan, Unit, plans
from hotbed.quantisation.sensitivity import Sensitivity, measure_units, units_of, worth_mixing
from hotbed.quantisation.sources import Refusal, Source, find_sources
from hotbed.quantisation.texts import Division, divide
from hotbed.sources import Located

__all__ = ["Asked", "Found", "Watch", "require", "search"]

Losses = NDArray[np.float64]

_BYTES_COUNT = 0.1
"""Share of the float32 model's time that all of its bytes count as: a quarter of the size is worth
7 % of the speed. Without it a table, which costs no time, would never shrink."""

_BYTE_PRICES = (1.0, 4.0, 16.0, 64.0)
"""Times that, where size is bounded, until the bound is kept."""

_MARGIN = 0.9
"""Share of the loss allowed that a prediction may use up."""

_TAIL = 10
"""One text in so many counts towards the lowest cosine."""


class Watch(Protocol):
    """Somebody who is told how far it is. A protocol, because a bar belongs to a terminal."""

    def expect(self, steps: int) -> None:
        """So many more steps will come, perhaps fewer."""
        ...

    def step(self, what: str) -> None:
        """The next step."""
        ...


@frozen(kw_only=True)
class Asked:
    """What is looked for, and where.

    Attributes:
        bounds: The promise.
        texts: Texts like those that the model will see; None means built-in ones.
        backends: Only these; none means all that are installed.
        recipes: Only these; none means all.
        profile: The graph profile to start from; ``""`` leaves it to each backend.
        smallest: Whether the smallest is looked for, and not the fastest.
        dependent: Whether a text's vector may depend on the texts beside it.
        rounds: Rounds in which each candidate is timed.
        trials: Mixes that are written and timed at most, besides the recipes themselves.
        seed: Decides which text serves for what.
    """

    bounds: Bounds
    texts: Sequence[str] | None = None
    backends: tuple[str, ...] = ()
    recipes: tuple[str, ...] = ()
    profile: str = ""
    smallest: bool = False
    dependent: bool = False
    rounds: int = 3
    trials: int = 12
    seed: int = 0


@frozen(kw_only=True)
class Found:
    """What came of a search.

    Attributes:
        model: The model's name.
        bounds: The promise.
        texts: The texts, in words.
        machine: Where it was measured.
        trials: Everything that was tried, the fastest first.
        chosen: What was written; None where nothing keeps the bounds.
        converted: The folder that was written.
        sensitivities: What each layer loses by itself, the worst first.
        refusals: Backends that took no part.
        float32_bytes: Bytes of the float32 file.
        seconds: How long it took.
    """

    model: str
    bounds: Bounds
    texts: str
    machine: Machine
    trials: tuple[Trial, ...]
    chosen: Trial | None
    converted: Converted | None
    sensitivities: tuple[Sensitivity, ...]
    refusals: tuple[Refusal, ...]
    float32_bytes: int
    seconds: float


def search(
    house: House, located: Located, folder: ModelFolder, asked: Asked, out: Path, watch: Watch
) -> Found:
    """Search, and write what was found into a new model folder.

    Args:
        house: Settings and catalogs.
        located: Where the model lies.
        folder: The model.
        asked: What is looked for.
        out: The folder to make.
        watch: Is told how far it is.

    Returns:
        Everything that was tried. Where nothing keeps the bounds, ``chosen`` is None and ``out``
        was not made; ``require`` turns that into an error.

    Raises:
        UsageError: The texts are too few or of the wrong kind.
        NoBackendError: Nothing installed can quantise the model.
    """
    started = time.perf_counter()
    texts = divide(asked.texts, asked.seed)
    sources, refusals = find_sources(
        house,
        located,
        folder,
        backends=asked.backends,
        recipes=asked.recipes,
        profile=asked.profile,
    )
    with open_bench(house, located, folder, texts, asked.bounds, asked.rounds) as bench:
        hunt = _Hunt(bench=bench, asked=asked, watch=watch)
        hunt.try_wholes(sources)
        for source in sources:
            hunt.mix(source)
    trials, chosen, converted = _publish(hunt, sources, texts, out)
    ranked = tuple(sorted(frontier(trials), key=_speed, reverse=True))
    return Found(
        model=folder.name,
        bounds=asked.bounds,
        texts=str(texts),
        machine=this_machine(),
        trials=ranked,
        chosen=next((one for one in ranked if chosen and one.mix.same_as(chosen.mix)), None),
        converted=converted,
        sensitivities=tuple(sorted(hunt.sensitivities, key=lambda one: -one.mean)),
        refusals=tuple(refusals),
        float32_bytes=_size_of(sources[0]),
        seconds=time.perf_counter() - started,
    )


def _speed(one: Trial) -> float:
    return one.speedup.median if one.speedup else 0.0


def _size_of(source: Source) -> int:
    path = source.artifact.path
    return sum(file.stat().st_size for file in path.parent.glob(f"{path.name}*"))


@define(kw_only=True, eq=False)
class _Hunt:
    """A search under way."""

    bench: Bench
    asked: Asked
    watch: Watch
    trials: list[Trial] = field(factory=list)
    sensitivities: list[Sensitivity] = field(factory=list)

    def try_wholes(self, sources: Sequence[Source]) -> None:
        """Try every recipe on all layers."""
        self.watch.expect(sum(len(source.recipes) for source in sources))
        for source in sources:
            for recipe in source.recipes:
                self._try(source, Mix(backend=source.backend, recipe=recipe))

    def mix(self, source: Source) -> None:
        """Try mixes of one backend's recipes."""
        asked = self.asked
        size = asked.smallest or asked.bounds.max_size is not None
        recipes = worth_mixing(source, self.trials, size=size, dependent=asked.dependent)
        if not recipes or not source.layers:
            return
        units = self._measured(source, recipes)
        for price in _BYTE_PRICES[-1:] if asked.smallest else _BYTE_PRICES:
            ladder = self._ladder(units, price)
            if self._small_enough(ladder):
                break
        _Border(self, source, units, ladder).find()

    def _try(self, source: Source, mix: Mix) -> Trial:
        self.watch.step(f"{source.backend}: {mix}")
        if same := [one for one in self.trials if one.mix.same_as(mix)]:
            return same[0]
        trial = self.bench.trial(source, mix)
        if not trial.missed and trial.batch_dependent and not self.asked.dependent:
            trial = evolve(trial, missed="a text's vector depends on the texts beside it")
        self.trials.append(trial)
        return trial

    def _measured(self, source: Source, recipes: Sequence[str]) -> list[Unit]:
        self.watch.expect(len(recipes) * len(units_of(source.layers)))
        units = []
        for what, unit in measure_units(self.bench, source, self.trials, recipes):
            if unit is None:
                self.watch.step(f"{source.backend}: {what}")
                continue
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


@define(eq=False)
class _Border:
    """The halving of a ladder of plans, between the last that misses and the first that keeps."""

    hunt: _Hunt
    source: Source
    units: Sequence[Unit]
    ladder: Sequence[Plan]
    mean_factor: float = 1.0
    worst_factor: float = 1.0

    def find(self) -> None:
        """Try plans until the border is found or the trials are used up."""
        bounds, missed, kept = self.hunt.asked.bounds, -1, len(self.ladder)
        if bounds.max_size is not None:  # what is more faithful is larger
            kept = sum(plan.nbytes <= bounds.max_size * 1.02 for plan in self.ladder)
        self.hunt.watch.expect(self.hunt.asked.trials)
        for _ in range(self.hunt.asked.trials):
            if kept - missed <= 1:
                return
            place = self._next(missed, kept)
            mix = Mix.of(self.source.backend, *self._recipe(self.ladder[place]))
            if not mix.recipe:
                kept = place
                continue
            trial = self.hunt._try(self.source, mix)
            if trial.fidelity is None or bounds.threshold.shortfall(trial.fidelity):
                missed = place
            else:
                kept = place
            self._learn(self.ladder[place], trial)

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
        """The first plan that is predicted to keep the bounds, or the one halfway."""
        middle = (missed + kept) // 2
        for place in range(missed + 1, kept):
            if self._predicted(self.ladder[place]):
                # Never only one step: a wrong prediction would make this a walk.
                return min(max(place, missed + 1), kept - 1)
        return middle if middle > missed else missed + 1

    def _predicted(self, plan: Plan) -> bool:
        bounds = self.hunt.asked.bounds
        mean = 1 - float(plan.losses.mean()) * self.mean_factor / _MARGIN
        lowest = 1 - float(plan.losses.max()) * self.worst_factor / _MARGIN
        return mean >= (bounds.min_mean_cosine or -1) and lowest >= (bounds.min_cosine or -1)

    def _learn(self, plan: Plan, trial: Trial) -> None:
        """How much more or less was lost than the layers' losses add up to."""
        if trial.fidelity is None or not plan.losses.any():
            return
        self.mean_factor = (1 - trial.fidelity.mean) / max(float(plan.losses.mean()), 1e-9)
        self.worst_factor = (1 - trial.fidelity.lowest) / max(float(plan.losses.max()), 1e-9)


def _publish(
    hunt: _Hunt, sources: Sequence[Source], texts: Division, out: Path
) -> tuple[list[Trial], Trial | None, Converted | None]:
    """Write the best that keeps the promise on texts that had no say; none may be left."""
    bench, bounds = hunt.bench, hunt.asked.bounds
    gate = bench.house.gate(texts.held_out, least=bounds.threshold)
    by_name = {source.backend: source for source in sources}
    trials = list(hunt.trials)
    keeping = sorted(
        (one for one in trials if not one.missed),
        key=_smallest if hunt.asked.smallest else _fastest,
    )
    for one in keeping:
        hunt.watch.step(f"{one.mix.backend}: {one.mix}, on held-out texts")
        source = by_name[one.mix.backend]
        place = trials.index(one)
        try:
            converted = quantize_into(
                source.engine,
                source.artifact,
                bench.folder,
                one.mix.as_recipe(),
                texts.calibration,
                out,
                gate,
            )
        except FidelityError as error:
            trials[place] = evolve(one, missed=f"on held-out texts: {error}")
            continue
        trials[place] = evolve(one, held_out=converted.reports[0].overall)
        return trials, trials[place], converted
    return trials, None, None


def _fastest(one: Trial) -> tuple[float, ...]:
    """The fastest first, in steps of a twentieth; within a step the smallest, then the nearest."""
    assert one.fidelity is not None
    return -round(_speed(one) * 20), one.nbytes, -one.fidelity.mean


def _smallest(one: Trial) -> tuple[float, ...]:
    """The smallest first, then the nearest."""
    assert one.fidelity is not None
    return one.nbytes, -one.fidelity.mean


def require(found: Found) -> Trial:
    """Give what was chosen.

    Raises:
        BoundsError: Nothing keeps the bounds; the nearest are in the message.
    """
    if found.chosen is not None:
        return found.chosen
    near = [one for one in found.trials if one.fidelity is not None]
    near.sort(key=lambda one: -(one.fidelity.mean if one.fidelity else 0))
    lines = [
        f"  {one.mix.backend} {one.mix}: {one.nbytes / 1e6:.1f} MB, {_speed(one):.2f} ×, lowest "
        f"cosine {one.fidelity.lowest:.4f}, mean {one.fidelity.mean:.4f}; misses: {one.missed}"
        for one in near[:3]
        if one.fidelity is not None
    ]
    tried = len(found.trials)
    raise BoundsError(
        "\n".join([f"nothing of {tried} tried keeps {found.bounds}; the nearest:", *lines])
    )
