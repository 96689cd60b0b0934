"""Which differences between times count."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hotbed.backends import Variant
from hotbed.backends.decision import Route, Stage, Verdict
from hotbed.measurements import this_machine
from hotbed.tuning.outcome import Circumstances, Outcome, judge
from hotbed.tuning.timing import Contender, Spread
from tests.core.backends import EMBED

WHERE = Circumstances(machine=this_machine(1), shape="bert", purpose="bulk", texts=100)


def contender(
    name: str,
    seconds: dict[int, list[float]],
    *,
    queries: list[float] | None = None,
    dtype: str = "float32",
    vectors: Any = None,
) -> Contender:
    """One that has run: seconds of each round, by budget; the first budget is today's."""
    route = Route(
        capability=EMBED,
        variant=Variant(format="onnx", file="model.onnx"),
        device="cpu",
        dtype=dtype,
    )
    verdict = Verdict(
        backend=name, dist="acme", version="1", stage=Stage.CHOSEN, reason="", route=route
    )
    found = np.eye(8, dtype=np.float32) if vectors is None else vectors
    return Contender(
        verdict=verdict,
        runner=None,  # type: ignore[arg-type] # it has run already
        budgets=tuple(seconds),
        seconds=seconds,
        queries=queries or [0.01] * len(next(iter(seconds.values()))),
        vectors=dict.fromkeys(seconds, found),
    )


def judged(*contenders: Contender, **changes: Any) -> dict[str, Outcome]:
    """Outcomes by name; the first contender is today's choice, reference, and rival."""
    first = contenders[0]
    who = (first.verdict.backend, "acme", "cpu", "float32")
    arguments: dict[str, Any] = {
        "today": first,
        "reference": first,
        "ordinary": {"float32": who},
        "where": WHERE,
        **changes,
    }
    return {one.verdict.backend: one for one in judge(contenders, **arguments)}


def score(outcome: Outcome) -> float:
    """Its score."""
    assert outcome.record is not None
    return outcome.record.measurement.score


def test_faster_in_every_round_is_faster() -> None:
    """Its own median is its score, and the ratio is taken round by round."""
    found = judged(
        contender("ordinary", {512: [2.0, 4.0, 2.0]}),
        contender("other", {512: [1.0, 1.0, 1.6]}),
    )
    assert score(found["ordinary"]) == 50.0
    assert score(found["other"]) == 100.0
    assert found["other"].as_fast_as == ""
    assert found["other"].ratio == Spread(median=2.0, least=1.25, most=4.0)


def test_faster_in_some_rounds_is_as_fast() -> None:
    """A difference that does not show in every round leaves the ordinary order to decide."""
    found = judged(
        contender("ordinary", {512: [2.0, 2.0, 2.0]}),
        contender("other", {512: [1.0, 1.0, 2.1]}),
    )
    assert score(found["other"]) == score(found["ordinary"]) == 50.0
    assert (found["ordinary"].as_fast_as, found["other"].as_fast_as) == ("", "ordinary")
    assert found["other"].record is not None
    assert found["other"].record.measurement.bulk == 100.0


def test_slower_in_every_round_is_slower() -> None:
    """It keeps its own score, below its rival's."""
    found = judged(contender("ordinary", {512: [2.0, 2.0]}), contender("other", {512: [4.0, 2.5]}))
    assert score(found["other"]) < score(found["ordinary"])


def test_queries_are_judged_by_queries() -> None:
    """For queries, bulk times have no say."""
    found = judged(
        contender("ordinary", {512: [2.0, 2.0]}, queries=[0.004, 0.004]),
        contender("other", {512: [9.0, 9.0]}, queries=[0.002, 0.002]),
        where=Circumstances(machine=WHERE.machine, shape="bert", purpose="queries", texts=100),
    )
    assert score(found["other"]) == pytest.approx(500.0)
    assert found["other"].ratio == Spread(median=2.0, least=2.0, most=2.0)


def test_another_budget_has_to_be_faster_in_every_round() -> None:
    """Today's token budget stays unless one beats it each time; of several, the fastest."""
    assert contender("a", {512: [2.0, 2.0], 256: [1.0, 2.1]}).best == 512
    assert contender("a", {512: [2.0, 2.0], 256: [1.9, 1.9]}).best == 256
    assert contender("a", {512: [2.0], 256: [1.9], 128: [1.5]}).best == 128
    # What ran in the first round only is out of the contest.
    assert contender("a", {512: [2.0, 2.0], 256: [1.9, 1.9], 128: [0.1]}).best == 256


def test_the_ratio_is_to_today_as_it_is() -> None:
    """Today's choice with a better budget is shown as faster than today."""
    found = judged(contender("ordinary", {512: [2.0, 2.0], 256: [1.0, 1.0]}))
    assert found["ordinary"].token_budget == 256
    assert found["ordinary"].budget_today == 512
    assert found["ordinary"].ratio == Spread(median=2.0, least=2.0, most=2.0)


@pytest.mark.parametrize(
    ("dtype", "lowest", "kept"),
    [
        ("float32", 0.999, False),
        ("bfloat16", 0.9995, True),
        ("bfloat16", 0.998, False),
    ],
)
def test_the_tolerance_is_that_of_the_dtype(dtype: str, lowest: float, kept: bool) -> None:
    """A row that is off by more than its dtype allows keeps the candidate from being recorded."""
    off = np.eye(8, dtype=np.float32)
    off[3, 4] = np.sqrt(1 / lowest**2 - 1)
    ordinary = contender("ordinary", {512: [2.0]})
    rounded = contender("rounded", {512: [1.0]}, dtype=dtype, vectors=off)
    who = ("rounded", "acme", "cpu", dtype)
    (_, one) = judge(
        [ordinary, rounded],
        today=ordinary,
        reference=ordinary,
        ordinary={"float32": ("ordinary", "acme", "cpu", "float32"), "bfloat16": who},
        where=WHERE,
    )
    assert one.lowest_cosine == pytest.approx(lowest, abs=1e-6)
    assert (one.record is not None) == kept
    assert bool(one.flaw) != kept


def test_another_width_is_a_flaw(tmp_path: Path) -> None:
    """Vectors of another dimension are told as such."""
    found = judged(
        contender("ordinary", {512: [2.0]}),
        contender("narrow", {512: [1.0]}, vectors=np.ones((8, 4), np.float32)),
    )
    assert "cannot compare (8, 8) with (8, 4)" in found["narrow"].flaw
    assert found["narrow"].record is None
