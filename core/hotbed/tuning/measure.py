"""Measure the candidates for one model on this machine: open all, take turns, judge, close all.

Taking turns needs every candidate open at once, so memory holds all of them. They are closed at
the end, whichever way it comes; nothing is written here.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import ExitStack
from typing import Protocol

from attrs import evolve, field, frozen

from hotbed.backends.decision import Measurement, Request, Verdict
from hotbed.errors import HotbedError, NoBackendError
from hotbed.inference.inputs import texts_of
from hotbed.inference.lanes import LEAST_BATCHES
from hotbed.measurements import Key, Record, merge
from hotbed.tuning.bench import Bench
from hotbed.tuning.candidates import Asked, Refusal, Who, find_candidates, who
from hotbed.tuning.outcome import Circumstances, Outcome, judge
from hotbed.tuning.texts import QUERY, mixed_texts, spread_over
from hotbed.tuning.timing import Contender, count_steps, take_turns

__all__ = ["Choice", "Tuned", "Watch", "tune"]

_PASS = 0.75
"""Seconds that one pass over the texts should take with today's choice, at least."""

_LONGEST_PASS = 2.0
"""Seconds that it may take for the sake of the largest batches; else these are left out."""

_LEAST, _MOST = 64, 4096
"""Texts in a pass: enough for several batches on several lanes; no more than memory likes."""

_SAMPLE = 32


class Watch(Protocol):
    """Somebody who is told how far it is. A protocol, because a bar belongs to a terminal."""

    def opening(self, name: str) -> None:
        """A candidate is being opened."""
        ...

    def begin(self, texts: int, contenders: int, steps: int) -> None:
        """Measuring begins: so many texts in a pass, so many contenders, so many steps."""
        ...

    def step(self, name: str) -> None:
        """The next step, of this contender."""
        ...


@frozen(kw_only=True)
class Choice:
    """What ``hotbed.load`` gives for a dtype, before and after."""

    dtype: str | None
    before: Verdict | None
    after: Verdict | None


@frozen(kw_only=True)
class Tuned:
    """What came of it.

    Attributes:
        outcomes: One for each candidate.
        refusals: Backends that cannot serve the model so.
        today: Whose speed the ratios are to.
        reference: Whose vectors the cosines are to.
        where: What the measurements share.
        rounds: Rounds that count.
        untried: Token budgets that were asked for, and of which a pass holds too few batches.
        choices: What changes for ``hotbed.load``.
    """

    outcomes: tuple[Outcome, ...]
    refusals: tuple[Refusal, ...]
    today: Who
    reference: Who
    where: Circumstances
    rounds: int
    untried: tuple[int, ...]
    choices: tuple[Choice, ...]

    @property
    def fresh(self) -> list[Record]:
        """What to record."""
        return [one.record for one in self.outcomes if one.record is not None]

    @property
    def dropped(self) -> list[Key]:
        """What must not stay recorded: it failed now, or its vectors are too far off."""
        flawed = [one.verdict for one in self.outcomes if one.flaw]
        return [self._key(verdict) for verdict in flawed]

    def _key(self, verdict: Verdict) -> Key:
        backend, dist, device, dtype = who(verdict)
        where = self.where
        return where.machine, where.shape, backend, dist, verdict.version, device, dtype


@frozen(kw_only=True)
class _Plan:
    """Who is measured, and what for.

    Attributes:
        verdicts: Everybody.
        today: What ``hotbed.load`` gives now.
        reference: The float32 choice where nothing was measured.
        ordinary: For each dtype that is recorded, the choice where nothing was measured.
    """

    verdicts: dict[Who, Verdict] = field(factory=dict)
    today: Who
    reference: Who
    ordinary: dict[str, Who]


def tune(bench: Bench, asked: Asked, texts: Sequence[str] | None, watch: Watch) -> Tuned:
    """Measure, and say what to record and what that changes.

    Args:
        bench: The model and the machine.
        asked: What to look at.
        texts: What to embed; None means built-in texts.
        watch: Is told how far it is.

    Raises:
        NoBackendError: Nothing can serve the model so.
    """
    texts = None if texts is None else texts_of(texts, name="texts")
    able, refused = find_candidates(bench, asked)
    if not able:
        lines = [f"  {r.backend} {r.dtype} on {r.device}  {r.reason}" for r in refused]
        raise NoBackendError("\n".join(["nothing installed can serve the model so:", *lines]))
    plan = _plan(bench, asked, able)
    with ExitStack() as stack:
        contenders, unopened = _open(bench, asked, plan, stack, watch)
        today = next(one for one in contenders if who(one.verdict) == plan.today)
        reference = next(one for one in contenders if who(one.verdict) == plan.reference)
        chosen = _enough(today, texts, max(asked.budgets))
        for one in contenders:
            one.fit(chosen)
        watch.begin(len(chosen), len(contenders), count_steps(contenders, asked.rounds))
        take_turns(contenders, chosen, QUERY, asked.rounds, watch.step)
    where = Circumstances(
        machine=bench.machine, shape=bench.folder.shape, purpose=asked.purpose, texts=len(chosen)
    )
    outcomes = judge(
        contenders, today=today, reference=reference, ordinary=plan.ordinary, where=where
    )
    tuned = Tuned(
        outcomes=(*outcomes, *unopened),
        refusals=tuple(refused),
        today=plan.today,
        reference=plan.reference,
        where=where,
        rounds=asked.rounds,
        untried=tuple(sorted(set(asked.budgets).difference(*(c.budgets for c in contenders)))),
        choices=(),
    )
    return _with_choices(tuned, bench, asked, plan)


def _plan(bench: Bench, asked: Asked, able: Sequence[Verdict]) -> _Plan:
    """Those asked for, and those without whom their figures say nothing.

    A lone measurement would rank before whatever was not measured. So for each dtype the ordinary
    choice and the present one are measured as well, whoever was asked for.
    """

    def choose(dtype: str | None, *measured: tuple[Measurement, ...]) -> Verdict | None:
        return bench.decide(Request(dtype=dtype, device=asked.device), *measured).chosen

    def as_today(verdict: Verdict) -> Verdict:
        """The same candidate with the token budget that it has today."""
        backend, _, device, dtype = who(verdict)
        request = Request(backend=backend, device=device, dtype=dtype)
        return bench.decide(request).chosen or verdict

    dtypes = dict.fromkeys(who(verdict)[3] for verdict in able)
    today = choose(None) or able[0]
    reference = bench.decide(Request(dtype="float32"), ()).chosen or today
    ordinary = {dtype: choose(dtype, ()) or able[0] for dtype in dtypes}
    present = [verdict for dtype in dtypes if (verdict := choose(dtype))]
    others = map(as_today, [reference, *ordinary.values()])
    verdicts: dict[Who, Verdict] = {}
    for verdict in (today, *present, *others, *able):
        verdicts.setdefault(who(verdict), verdict)
    return _Plan(
        verdicts=verdicts,
        today=who(today),
        reference=who(reference),
        ordinary={dtype: who(verdict) for dtype, verdict in ordinary.items()},
    )


def _open(
    bench: Bench, asked: Asked, plan: _Plan, stack: ExitStack, watch: Watch
) -> tuple[list[Contender], list[Outcome]]:
    contenders: list[Contender] = []
    failed: list[Outcome] = []
    for one, verdict in plan.verdicts.items():
        essential = one in (plan.today, plan.reference)
        watch.opening(f"{verdict.backend} {one[3]}")
        try:
            runner = bench.open(verdict)
        except HotbedError as error:
            if essential:
                raise
            failed.append(Outcome(verdict=verdict, flaw=str(error)))
            continue
        stack.callback(runner.engine.close, runner.loaded)
        own = runner.loaded.token_budget
        tried = asked.budgets if one[3] in plan.ordinary else ()
        budgets = tuple(dict.fromkeys([own, *tried]))
        contenders.append(
            Contender(verdict=verdict, runner=runner, budgets=budgets, essential=essential)
        )
    return contenders, failed


def _enough(today: Contender, texts: Sequence[str] | None, largest: int) -> list[str]:
    """As many texts as make a pass of ``_PASS`` seconds, or batches enough of the largest budget.

    Args:
        today: Whose speed decides.
        texts: Where they are taken from; None means built-in texts.
        largest: Padded tokens in the largest batch that is tried.
    """
    sample = mixed_texts(_SAMPLE) if texts is None else spread_over(texts, _SAMPLE)
    today.run(sample, today.budgets[0])
    start = time.perf_counter()
    today.run(sample, today.budgets[0])
    rate = len(sample) / (time.perf_counter() - start)
    tokens = float(today.runner.tokenize(sample, "").counts.mean())
    batches = LEAST_BATCHES * max(1, today.runner.loaded.lanes) + 1
    count = max(rate * _PASS, min(batches * largest / max(1, tokens), rate * _LONGEST_PASS))
    count = min(max(round(count), _LEAST), _MOST)
    return mixed_texts(count) if texts is None else spread_over(texts, count)


def _with_choices(tuned: Tuned, bench: Bench, asked: Asked, plan: _Plan) -> Tuned:
    merged = merge(bench.house.records(), tuned.fresh, tuned.dropped)
    measured = tuple(one.measurement for one in merged if one.machine == bench.machine)
    requests = [Request(dtype=dtype, device=asked.device) for dtype in (None, *plan.ordinary)]
    choices = tuple(
        Choice(
            dtype=request.dtype,
            before=bench.decide(request).chosen,
            after=bench.decide(request, measured).chosen,
        )
        for request in requests
    )
    return evolve(tuned, choices=choices)
