"""Ranking by what ``hotbed tune`` measured."""

from __future__ import annotations

from typing import Any

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from hotbed.backends import Probe, ProbeRequest, Variant
from hotbed.backends.catalog import Found
from hotbed.backends.decision import Decision, Measurement, Model, Request, Rules, Stage, Verdict
from hotbed.backends.selection import select
from tests.core.backends import backend, capability
from tests.core.machines import (
    DTYPES,
    Refused,
    machines,
    measurements,
    models,
    probing,
    refusals,
    requests,
    rules,
)

SHAPE = "bert 6×384, 12 heads, 1536 inner"
ONNX = Variant(format="onnx", file="onnx/model.onnx", storage="float32", profile="portable")
OWN = backend("own", dist="hotbed")
FAST = backend("fast", capability(dtypes=("float32", "bfloat16")))
SLOW = backend("slow")


def measured(backend: str, score: float, **changes: Any) -> Measurement:
    """A measurement of a backend of ``acme 1.0`` with this score."""
    usual = {
        "shape": SHAPE,
        "dist": "hotbed" if backend == "own" else "acme",
        "version": "1.0",
        "device": "cpu",
        "dtype": "float32",
        "token_budget": 512,
        "bulk": score,
        "query": 0.004,
    }
    return Measurement(backend=backend, score=score, **{**usual, **changes})


def choose(*measurements: Measurement, rules: Any = None, **request: Any) -> Decision:
    """Select among all three, with these measurements."""
    model = Model(name="m", family="bert", variants=(ONNX,), shape=SHAPE)
    ranked = Rules(measured=measurements, **(rules or {}))

    def yes(found: Found, request: ProbeRequest) -> Probe:
        return Probe(ok=True)

    return select(Request(**request), model, [OWN, FAST, SLOW], yes, ranked)


def chosen(*measurements: Measurement, **options: Any) -> str:
    """Who is chosen."""
    decision = choose(*measurements, **options)
    assert decision.chosen is not None
    return decision.chosen.backend


def on(decision: Decision, name: str) -> Verdict:
    """The verdict on one backend."""
    return next(verdict for verdict in decision.verdicts if verdict.backend == name)


def test_the_fastest_that_was_measured_is_chosen() -> None:
    """A third party displaces hotbed's own where both were measured and it was faster."""
    both = (measured("own", 80.0), measured("fast", 160.0))
    assert chosen() == "own"
    assert chosen(*both) == "fast"
    assert chosen(measured("own", 80.0), measured("fast", 40.0)) == "own"


def test_the_decision_says_what_was_measured() -> None:
    """The chosen one tells its figures; the others whether they were slower or not measured."""
    decision = choose(measured("own", 80.0), measured("fast", 160.0, query=0.0031))
    assert decision.chosen is not None
    assert decision.chosen.reason.endswith("; measured here: 160 texts/s, 3.1 ms a query")
    assert on(decision, "own").reason.endswith("below fast: it was measured slower on this machine")
    assert on(decision, "slow").reason.endswith("below fast: it was not measured on this machine")


def test_what_the_settings_prefer_comes_before_what_was_measured() -> None:
    """The user's own order wins over the stop-watch, and a name wins over both."""
    both = (measured("own", 80.0), measured("fast", 160.0))
    assert chosen(*both, rules={"priority": ("slow", "own")}) == "slow"
    assert chosen(*both, backend="own") == "own"


def test_equal_scores_leave_hotbeds_own() -> None:
    """Where nothing was won, nothing changes."""
    assert chosen(measured("own", 80.0), measured("fast", 80.0)) == "own"


@pytest.mark.parametrize(
    "other",
    [
        {"shape": "bert 12×768, 12 heads, 3072 inner"},
        {"version": "0.9"},
        {"dist": "somebody-else"},
        {"device": "cuda"},
        {"dtype": "bfloat16"},
    ],
)
def test_a_measurement_of_something_else_is_not_counted(other: dict[str, str]) -> None:
    """Another shape, version, distribution, device or arithmetic says nothing about this one."""
    assert chosen(measured("fast", 160.0, **other)) == "own"


def test_each_arithmetic_has_its_own_measurement() -> None:
    """What was the fastest in bfloat16 is chosen for bfloat16, and not for the stored weights."""
    table = (
        measured("own", 80.0),
        measured("fast", 70.0),
        measured("fast", 190.0, dtype="bfloat16"),
    )
    assert chosen(*table) == "own"
    assert chosen(*table, dtype="bf16") == "fast"


@given(machines(), models, requests, rules, refusals, st.lists(measurements, max_size=4))
def test_measurements_of_other_things_change_nothing(
    found: list[Found],
    model: Model,
    request: Request,
    rules: Rules,
    refused: Refused,
    others: list[Measurement],
) -> None:
    """Whatever was measured of other shapes, of other versions and of the absent is not read."""
    usable = {(f.name, f.dist) for f in found if f.usable}
    elsewhere = tuple(
        evolve(one, shape="another") if (one.backend, one.dist) in usable else one for one in others
    )
    old = tuple(evolve(one, version="0.8", score=9.0) for one in others)
    more = evolve(rules, measured=(*elsewhere, *rules.measured, *old))
    before = select(request, model, found, probing(refused), rules)
    assert select(request, model, found, probing(refused), more) == before


@given(machines(), models, requests, rules, refusals, st.sampled_from(DTYPES))
def test_a_measurement_decides_only_for_its_own_arithmetic(
    found: list[Found],
    model: Model,
    request: Request,
    rules: Rules,
    refused: Refused,
    dtype: str,
) -> None:
    """Where one arithmetic is asked for, what was measured in the others is not read."""
    asked = evolve(request, dtype=dtype)
    mine = tuple(one for one in rules.measured if one.dtype == dtype)
    decision = select(asked, model, found, probing(refused), evolve(rules, measured=mine))
    assert select(asked, model, found, probing(refused), rules) == decision


@given(machines(), models, requests, rules, refusals)
def test_who_is_chosen_against_the_order_was_measured_faster(
    found: list[Found], model: Model, request: Request, rules: Rules, refused: Refused
) -> None:
    """Where measurements change the choice, the new one was measured, and nothing beat it."""
    quiet = evolve(rules, measured=())
    before = select(request, model, found, probing(refused), quiet).chosen
    decision = select(request, model, found, probing(refused), rules)
    after = decision.chosen
    assert (after is None) == (before is None)
    if after is None or before is None or after.route is None:
        return
    if (after.backend, after.dist) == (before.backend, before.dist):
        return
    mine = after.route.measured
    assert mine is not None
    assert (mine.backend, mine.dist) == (after.backend, after.dist)
    assert (mine.device, mine.dtype) == (after.route.device, after.route.dtype)
    places = {name: place for place, name in enumerate(rules.priority)}
    rivals = [v for v in decision.verdicts if v.stage is Stage.PASSED_OVER]
    for rival in rivals:
        if places.get(rival.backend) == places.get(after.backend):
            assert rival.route is not None
            assert not rival.route.measured or rival.route.measured.score <= mine.score
        else:
            assert places.get(after.backend, 99) < places.get(rival.backend, 99)
