"""Open candidates, timed in turn, so that whatever disturbs the machine disturbs all alike."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import TypeVar

import numpy as np
from attrs import define, evolve, field, frozen
from numpy.typing import NDArray

from hotbed.backends.decision import Verdict
from hotbed.errors import HotbedError
from hotbed.inference.progress import Progress
from hotbed.inference.runner import Runner
from hotbed.tuning.steady import batch_sizes, fills_lanes, time_pass

__all__ = ["COMPARED", "Contender", "Spread", "always_faster", "count_steps", "take_turns"]

COMPARED = 256
"""Texts whose vectors are kept for the comparison with the reference."""

_CALLS = 15
"""Calls whose median is the time of a short query in one round."""

Floats = NDArray[np.float32]
T = TypeVar("T")


@frozen(kw_only=True)
class Spread:
    """The median of some values, the least and the greatest."""

    median: float
    least: float
    most: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """Take it of at least one value."""
        return cls(median=float(np.median(values)), least=min(values), most=max(values))


@define(kw_only=True, eq=False)
class Contender:
    """An open candidate and its times.

    Attributes:
        verdict: What selection said of it.
        runner: Its open model.
        budgets: Padded tokens in a batch that are tried; the first is the one it has today.
        essential: Whether nothing can be said without it, so that its failure is everybody's.
        failure: Why it dropped out.
        seconds: Seconds of each pass over the texts, as in the middle of a long list, by budget.
        queries: Seconds of a short query, for each round.
        vectors: Vectors of the first texts, by budget.
    """

    verdict: Verdict
    runner: Runner
    budgets: tuple[int, ...]
    essential: bool = False
    failure: str = ""
    seconds: dict[int, list[float]] = field(factory=dict)
    queries: list[float] = field(factory=list)
    vectors: dict[int, Floats] = field(factory=dict)
    _runners: dict[int, Runner] = field(factory=dict)

    @property
    def best(self) -> int:
        """The best of the budgets: today's, unless another was faster in every round."""
        today = self.budgets[0]
        counted = self.seconds[today]
        faster = {
            sum(seconds): budget
            for budget, seconds in self.seconds.items()
            if len(seconds) == len(counted) and always_faster(seconds, counted)
        }
        return faster[min(faster)] if faster else today

    def fit(self, texts: Sequence[str]) -> None:
        """Leave out budgets of which the texts make too few batches; today's stays."""
        counts = self.runner.tokenize(texts, "").counts
        today, *others = self.budgets
        lanes = self.runner.loaded.lanes
        fitting = (b for b in others if fills_lanes(len(batch_sizes(counts, b)), lanes))
        self.budgets = (today, *fitting)

    def run(self, texts: Sequence[str], budget: int) -> Floats:
        """Embed as ``encode`` does, from text to vector."""
        runner = self._with(budget)
        return runner.sentences(runner.tokenize(texts, ""), None, Progress(total=None, show=False))

    def time_pass(self, texts: Sequence[str], budget: int) -> None:
        """Time one pass over the texts."""
        seconds, vectors = time_pass(self._with(budget), texts)
        self.seconds.setdefault(budget, []).append(seconds)
        self.vectors[budget] = vectors[:COMPARED]

    def _with(self, budget: int) -> Runner:
        if budget not in self._runners:
            loaded = evolve(self.runner.loaded, token_budget=budget)
            self._runners[budget] = evolve(self.runner, loaded=loaded)
        return self._runners[budget]

    def time_query(self, text: str) -> None:
        """Time one short text, alone."""
        self.run([text], self.budgets[0])
        times = []
        for _ in range(_CALLS):
            start = time.perf_counter()
            self.run([text], self.budgets[0])
            times.append(time.perf_counter() - start)
        self.queries.append(float(np.median(times)))

    def finalists(self) -> tuple[int, ...]:
        """Today's budget, and the fastest other one so far."""
        today, *others = self.budgets
        return today, *sorted(others, key=lambda budget: self.seconds[budget][0])[:1]


def always_faster(mine: Sequence[float], other: Sequence[float]) -> bool:
    """Whether each round took less time. What shows in some rounds only may be the machine."""
    return all(a < b for a, b in zip(mine, other, strict=True))


def take_turns(
    contenders: Sequence[Contender],
    texts: Sequence[str],
    query: str,
    rounds: int,
    step: Callable[[str], None],
) -> None:
    """Time all of them. A whole pass with every budget comes first and does not count.

    From the second round on, each contender runs with two budgets only: today's, and the one
    that was the fastest other in the first round.

    Args:
        contenders: Who. One that fails drops out with the reason.
        texts: What a pass embeds.
        query: The short text.
        rounds: How many rounds count.
        step: Is told what comes next, once for each of ``count_steps``.
    """
    everything = [(one, budget) for one in contenders for budget in one.budgets]
    for one, budget in everything:
        _attempt(one, step, partial(one.run, texts, budget))
    entries = everything
    for number in range(rounds):
        if number == 1:
            alive = [one for one in contenders if not one.failure]
            entries = [(one, budget) for one in alive for budget in one.finalists()]
        # The order turns, so that nobody always runs behind the same neighbour.
        for one, budget in _turned(entries, number):
            _attempt(one, step, partial(one.time_pass, texts, budget))
        for one in _turned(contenders, number):
            _attempt(one, step, partial(one.time_query, query))


def count_steps(contenders: Iterable[Contender], rounds: int) -> int:
    """How often ``take_turns`` calls ``step`` if nobody drops out."""
    return sum(
        2 * len(one.budgets) + 1 + (rounds - 1) * (min(2, len(one.budgets)) + 1)
        for one in contenders
    )


def _attempt(one: Contender, step: Callable[[str], None], work: Callable[[], object]) -> None:
    if one.failure:
        return
    route = one.verdict.route
    step(f"{one.verdict.backend} {route.dtype if route else ''}")
    try:
        work()
    except HotbedError as error:
        if one.essential:
            raise
        one.failure = str(error)  # shown in the table


def _turned(items: Sequence[T], number: int) -> list[T]:
    turn = number % len(items) if items else 0
    return [*items[turn:], *items[:turn]]
