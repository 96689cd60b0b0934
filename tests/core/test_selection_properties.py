"""What holds for selection whatever is installed, measured, set and refused."""

from __future__ import annotations

from typing import Any

from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st

from hotbed.backends import Capability, ProbeRequest
from hotbed.backends.catalog import Found
from hotbed.backends.decision import Model, Request, Rules, Stage
from hotbed.backends.selection import select
from tests.core.backends import backend
from tests.core.machines import (
    Refused,
    backends,
    machines,
    models,
    outcome,
    probing,
    refusals,
    requests,
    rules,
)
from tests.core.plain_selection import winner


@settings(max_examples=300)
@given(machines(), models, requests, rules, refusals)
def test_the_winner_is_the_best_way_that_works(
    found: list[Found], model: Model, request: Request, rules: Rules, refused: Refused
) -> None:
    """Every way written out, asked and sorted gives the same backend, file, converter and dtype."""
    chosen = select(request, model, found, probing(refused), rules).chosen
    expected = winner(request, model, found, probing(refused), rules)
    assert (chosen is None) == (expected is None)
    if chosen is None or expected is None:
        return
    route = chosen.route
    assert route is not None
    assert (chosen.backend, chosen.dist) == (expected.backend.name, expected.backend.dist)
    assert (route.capability, route.variant) == (expected.capability, expected.variant)
    assert (route.profile, route.device) == (expected.profile, expected.device)
    assert route.dtype == expected.dtype
    converter = expected.converter
    assert (route.converter, route.to, route.converter_device) == (
        (converter[1].name, converter[2].to, converter[3]) if converter else ("", "", "")
    )


@given(machines(), models, requests, rules, refusals, st.randoms())
def test_order_of_installation_does_not_matter(
    found: list[Found], model: Model, request: Request, rules: Rules, refused: Refused, random: Any
) -> None:
    """Any order of the same backends gives the same decision, verdicts and table."""
    first = select(request, model, found, probing(refused), rules)
    shuffled = list(found)
    random.shuffle(shuffled)
    second = select(request, model, shuffled, probing(refused), rules)
    assert second == first
    assert second.explain() == first.explain()


@given(machines(), models, requests, rules, refusals)
def test_every_backend_gets_exactly_one_reason(
    found: list[Found], model: Model, request: Request, rules: Rules, refused: Refused
) -> None:
    """Each backend has one verdict, each verdict a reason, and at most one is chosen."""
    decision = select(request, model, found, probing(refused), rules)
    told = sorted((v.backend, v.dist) for v in decision.verdicts)
    assert told == sorted((f.name, f.dist) for f in found)
    chosen = [v for v in decision.verdicts if v.stage is Stage.CHOSEN]
    assert chosen == ([decision.chosen] if decision.chosen else [])
    assert all(verdict.reason.strip(" ;") for verdict in decision.verdicts)
    assert decision.chosen is None or decision.verdicts[0] is decision.chosen
    served = {Stage.CHOSEN, Stage.PASSED_OVER}
    assert all((v.stage in served) == (v.route is not None) for v in decision.verdicts)


@given(machines(), models, requests, rules, refusals)
def test_a_verdict_is_what_naming_the_backend_would_show(
    found: list[Found], model: Model, request: Request, rules: Rules, refused: Refused
) -> None:
    """Whoever is rejected cannot serve when named; whoever is passed over could, so far as asked.

    Those behind the chosen one are not asked, so they are named where nothing refuses.
    """
    request = evolve(request, backend=None)
    decision = select(request, model, found, probing(refused), rules)
    for verdict in decision.verdicts:
        named = evolve(request, backend=verdict.backend)
        alone = [f for f in found if f.name != verdict.backend or f.dist == verdict.dist]
        if verdict.stage is Stage.PASSED_OVER:
            assert select(named, model, alone, probing(frozenset()), rules).chosen is not None
        else:
            could = select(named, model, alone, probing(refused), rules).chosen is not None
            assert could == (verdict.stage is Stage.CHOSEN)


@given(machines(), models, requests, rules, refusals)
def test_what_is_named_is_used_or_nothing(
    found: list[Found], model: Model, request: Request, rules: Rules, refused: Refused
) -> None:
    """The chosen backend is usable, and it is the one named, on the device, in the dtype."""
    chosen = select(request, model, found, probing(refused), rules).chosen
    if chosen is None:
        return
    assert chosen.route is not None
    (mine,) = (f for f in found if (f.name, f.dist) == (chosen.backend, chosen.dist))
    assert mine.usable
    assert request.backend in (None, chosen.backend)
    assert request.device in ("auto", chosen.route.device)
    assert request.canonical_dtype in (None, chosen.route.dtype)
    assert chosen.route.device.partition(":")[0] in chosen.route.capability.devices
    assert chosen.route.dtype in chosen.route.capability.dtypes
    assert set(request.features) <= set(chosen.route.capability.features)


@given(machines(), models, requests, rules, refusals)
def test_what_cannot_work_here_is_never_used(
    found: list[Found], model: Model, request: Request, rules: Rules, refused: Refused
) -> None:
    """Neither the chosen backend nor its converter has refused on its device."""
    chosen = select(request, model, found, probing(refused), rules).chosen
    if chosen is None or chosen.route is None:
        return
    route = chosen.route
    assert (chosen.backend, request.action, route.device.partition(":")[0]) not in refused
    assert (route.converter, "convert", route.converter_device) not in refused
    if route.converter:
        (converter,) = (f for f in found if f.usable and f.name == route.converter)
        assert converter.manifest is not None
        assert converter.manifest.hook_api == 1


@given(machines(), models, requests, rules, refusals)
def test_nobody_is_asked_twice_or_in_vain(
    found: list[Found], model: Model, request: Request, rules: Rules, refused: Refused
) -> None:
    """No question is asked again after a no, and none at all after the answer that decides."""
    asked: list[tuple[str, str, ProbeRequest]] = []
    answers: list[bool] = []
    probe = probing(refused)

    def note(one: Found, question: ProbeRequest) -> Any:
        answer = probe(one, question)
        asked.append((one.name, one.dist, question))
        answers.append(answer.ok)
        return answer

    decision = select(request, model, found, note, rules)
    refusing = [who for who, ok in zip(asked, answers, strict=True) if not ok]
    embedding = [who for who in refusing if who[2].dtype is not None]
    assert len(set(embedding)) == len(embedding)
    if decision.chosen is not None:
        assert answers[-1]


FLAWS: tuple[dict[str, Any], ...] = (
    {"error": "ImportError: x"},
    {"blocked": "by the settings"},
    {"conflict": "with b"},
    {"hook_api": 2},
    {"plugin": object()},
    {},  # it says no when it is asked
)
LACKS: tuple[dict[str, Any], ...] = (
    {"formats": "pickle"},
    {"formats": ()},
    {"devices": "tpu9"},
    {"devices": ()},
    {"dtypes": "bnb4"},
    {"dtypes": ()},
    {"families": "t5"},
    {"task": "rerank"},
    {"storages": "bnb4"},
)
ABLE = {
    "formats": ("onnx", "safetensors", "gguf"),
    "devices": ("cpu", "cuda", "tpu"),
    "dtypes": ("float32", "float16", "int8"),
    "features": ("sparse", "colbert"),
    "profiles": ("cpu", "portable"),
    "priority": 9,
}


@st.composite
def useless(draw: st.DrawFn, action: str) -> Found:
    """A backend with everything that a request could want, but for one thing."""
    lack, flaw = draw(
        st.one_of(
            st.tuples(st.sampled_from(LACKS), st.just({})),
            st.tuples(st.just({}), st.sampled_from(FLAWS)),
        )
    )
    able = Capability(action=action, to="onnx", **{**ABLE, **lack})
    name = draw(st.sampled_from(["0first", "zlast"]))
    return backend(name, able, dist=draw(st.sampled_from(["acme", "hotbed"])), **flaw)


ACTIONS = st.sampled_from(["embed", "embed", "convert"])
EXTRAS = {action: useless(action) for action in ("embed", "convert")}


@given(machines(), models, requests, rules, refusals, ACTIONS, st.data())
def test_a_backend_that_cannot_serve_changes_nothing(
    found: list[Found],
    model: Model,
    request: Request,
    rules: Rules,
    refused: Refused,
    action: str,
    data: st.DataObject,
) -> None:
    """Installing what cannot serve leaves the decision and every other verdict as they were."""
    request = evolve(request, action=action)
    extra, preferred = data.draw(EXTRAS[action]), data.draw(st.booleans())
    devices = ("cpu", "cuda", "npu", "tpu", "tpu9")
    here = refused | {(extra.name, action, device) for device in devices}
    ranked = evolve(rules, priority=(extra.name, *rules.priority)) if preferred else rules
    before = select(request, model, found, probing(refused), rules)
    after = select(request, model, [extra, *found], probing(here), ranked)
    assert outcome(after) == outcome(before)
    assert tuple(v for v in after.verdicts if v.backend != extra.name) == before.verdicts


@given(
    machines(actions=("embed",)),
    machines(least=0, most=2, actions=("convert",)),
    models,
    requests,
    rules,
    refusals,
)
def test_the_choice_is_a_total_order(
    readers: list[Found],
    converters: list[Found],
    model: Model,
    request: Request,
    rules: Rules,
    refused: Refused,
) -> None:
    """Choosing among halves and then between their winners gives the winner of the whole.

    The converters stand by in each: what can be converted is part of the question.
    """
    names = {found.name for found in converters}
    found = [reader for reader in readers if reader.name not in names]
    request = evolve(request, action="embed")

    def best(candidates: list[Found]) -> list[Found]:
        machine = [*candidates, *converters]
        chosen = select(request, model, machine, probing(refused), rules).chosen
        who = (chosen.backend, chosen.dist) if chosen else None
        return [f for f in candidates if (f.name, f.dist) == who]

    half = len(found) // 2
    assert best(found) == best(best(found[:half]) + best(found[half:]))
    assert bool(best(found)) == any(best([candidate]) for candidate in found)


@given(machines(), models, requests, refusals, rules)
def test_a_third_party_never_displaces_hotbeds_own_by_itself(
    found: list[Found], model: Model, request: Request, refused: Refused, rules: Rules
) -> None:
    """Without priority or measurements, hotbed's own serves what it can, as if it were alone.

    Others change neither who serves, nor from which file, nor who converts it.
    """
    quiet = evolve(rules, priority=(), measured=())
    own = [f for f in found if f.first_party]
    alone = select(request, model, own, probing(refused), quiet)
    if alone.chosen is not None:
        decision = select(request, model, found, probing(refused), quiet)
        assert outcome(decision) == outcome(alone)


@given(machines(), backends(("zlast",), ("convert",)), models, requests, refusals, rules)
def test_a_foreign_converter_changes_nothing_that_worked_without(
    found: list[Found],
    converter: Found,
    model: Model,
    request: Request,
    refused: Refused,
    rules: Rules,
) -> None:
    """Whoever is chosen without it stays, with the same file: a new way to convert comes last."""
    request = evolve(request, action="embed")
    stranger = evolve(converter, dist="stranger")
    quiet = evolve(rules, priority=(), measured=())
    before = select(request, model, found, probing(refused), quiet)
    if before.chosen is not None:
        after = select(request, model, [*found, stranger], probing(refused), quiet)
        assert outcome(after) == outcome(before)
