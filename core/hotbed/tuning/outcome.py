"""From times and vectors to what is shown and what is recorded."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence

from attrs import field, frozen

from hotbed.backends.decision import Measurement, Verdict
from hotbed.errors import UsageError
from hotbed.fidelity import compare_vectors, threshold
from hotbed.measurements import Machine, Record, score_of
from hotbed.tuning.candidates import Who, who
from hotbed.tuning.timing import Contender, Spread, always_faster

__all__ = ["Circumstances", "Outcome", "judge"]


@frozen(kw_only=True)
class Circumstances:
    """What all measurements of one run share.

    Attributes:
        machine: Where.
        shape: Of the model.
        purpose: ``bulk`` or ``queries``.
        texts: Texts in a pass.
        date: When, ISO 8601.
    """

    machine: Machine
    shape: str
    purpose: str
    texts: int
    date: str = field(
        factory=lambda: datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    )


@frozen(kw_only=True)
class Outcome:
    """What came of one candidate.

    Attributes:
        verdict: What selection said of it.
        token_budget: The best padded tokens in a batch; None where it dropped out.
        budget_today: Those with which it would run now.
        bulk: Texts a second with that.
        query: Seconds of a short query.
        ratio: Times as fast as today's choice, for the purpose, round by round.
        lowest_cosine: To the reference vectors; None where they cannot be compared.
        as_fast_as: The rival that it neither beat in every round nor lost to in every round.
        flaw: Why it is not recorded: it failed, or its vectors are too far from the reference.
        record: What is recorded; None for a flaw, and where it only served for comparison.
    """

    verdict: Verdict
    token_budget: int | None = None
    budget_today: int | None = None
    bulk: Spread | None = None
    query: Spread | None = None
    ratio: Spread | None = None
    lowest_cosine: float | None = None
    as_fast_as: str = ""
    flaw: str = ""
    record: Record | None = None


def judge(
    contenders: Sequence[Contender],
    *,
    today: Contender,
    reference: Contender,
    ordinary: Mapping[str, Who],
    where: Circumstances,
) -> list[Outcome]:
    """Compare each contender with today's choice, with the reference, and with its rival.

    Its rival is what selection chooses for its dtype where nothing was measured. Scores differ
    only where every round says so: a contender that is faster in some rounds and slower in others
    gets its rival's score, so that the ordinary order decides between them.

    Args:
        contenders: All that were timed.
        today: What ``hotbed.load`` gives now.
        reference: Whose vectors are taken for right.
        ordinary: dtype → the rival; dtypes that are not here are not recorded.
        where: What the measurements share.
    """
    rivals = {who(one.verdict): one for one in contenders if not one.failure}
    outcomes = []
    for one in contenders:
        rival = rivals.get(ordinary.get(who(one.verdict)[3], ("", "", "", "")))
        wanted = who(one.verdict)[3] in ordinary
        outcomes.append(_outcome(one, today, reference, rival, where, wanted=wanted))
    return outcomes


def _outcome(
    one: Contender,
    today: Contender,
    reference: Contender,
    rival: Contender | None,
    where: Circumstances,
    *,
    wanted: bool,
) -> Outcome:
    if one.failure:
        return Outcome(verdict=one.verdict, flaw=one.failure)
    lowest, flaw = _fidelity(one, reference)
    mine, todays = _times(one, where, one.best), _times(today, where, today.budgets[0])
    bulk, query = _speeds(one, where)
    rival = one if rival is None or _differ(one, rival, where) else rival
    record = None
    if wanted and not flaw and lowest is not None:
        record = _record(one, rival, where, lowest)
    return Outcome(
        verdict=one.verdict,
        token_budget=one.best,
        budget_today=one.budgets[0],
        bulk=bulk,
        query=query,
        ratio=Spread.of([a / b for a, b in zip(todays, mine, strict=True)]),
        lowest_cosine=lowest,
        as_fast_as="" if rival is one else rival.verdict.backend,
        flaw=flaw,
        record=record,
    )


def _fidelity(one: Contender, reference: Contender) -> tuple[float | None, str]:
    right, found = reference.vectors[reference.best], one.vectors[one.best]
    try:
        fidelity = compare_vectors(right, found)
    except UsageError as error:  # another dimension, or numbers that are not finite
        return None, str(error)
    return fidelity.lowest, threshold(who(one.verdict)[3]).shortfall(fidelity)


def _times(one: Contender, where: Circumstances, budget: int) -> list[float]:
    return one.queries if where.purpose == "queries" else one.seconds[budget]


def _speeds(one: Contender, where: Circumstances) -> tuple[Spread, Spread]:
    """Texts a second, and seconds of a short query."""
    bulk = [where.texts / seconds for seconds in one.seconds[one.best]]
    return Spread.of(bulk), Spread.of(one.queries)


def _differ(one: Contender, rival: Contender, where: Circumstances) -> bool:
    mine, others = _times(one, where, one.best), _times(rival, where, rival.best)
    return always_faster(mine, others) or always_faster(others, mine)


def _record(one: Contender, scored: Contender, where: Circumstances, lowest: float) -> Record:
    """A record of one, with the score of itself or of whom it is as fast as."""
    backend, dist, device, dtype = who(one.verdict)
    bulk, query = _speeds(one, where)
    ranked_bulk, ranked_query = _speeds(scored, where)
    measurement = Measurement(
        shape=where.shape,
        backend=backend,
        dist=dist,
        version=one.verdict.version,
        device=device,
        dtype=dtype,
        token_budget=one.best,
        bulk=bulk.median,
        query=query.median,
        score=score_of(ranked_bulk.median, ranked_query.median, where.purpose),
    )
    return Record(
        machine=where.machine,
        measurement=measurement,
        purpose=where.purpose,
        lowest_cosine=lowest,
        texts=where.texts,
        rounds=len(one.queries),
        date=where.date,
    )
