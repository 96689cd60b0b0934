"""What holds for selection whatever is installed."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any

from hypothesis import assume, given
from hypothesis import strategies as st

from hotbed.backends import Capability, Probe, ProbeRequest, Variant
from hotbed.backends.catalog import Found
from hotbed.backends.decision import Decision, Model, Request, Rules, Stage
from hotbed.backends.selection import select
from tests.core.backends import backend

FORMATS = ("onnx", "safetensors", "gguf")
DEVICES = ("cpu", "cuda", "npu")
DTYPES = ("float32", "float16", "int8")
FAMILIES = ("bert", "mpnet")
NAMES = ("a", "b", "c", "d", "onnx_cpu")


def some(values: Sequence[str], least: int = 1) -> st.SearchStrategy[tuple[str, ...]]:
    """Some of the values, in any order; as one draw, because many small ones are slow."""
    sizes = range(least, len(values) + 1)
    return st.sampled_from([p for size in sizes for p in itertools.permutations(values, size)])


def capabilities(actions: Sequence[str] = ("embed", "convert")) -> st.SearchStrategy[Capability]:
    """Capabilities of all kinds."""
    return st.builds(
        Capability,
        action=st.sampled_from(actions),
        formats=some(FORMATS),
        devices=some(DEVICES),
        dtypes=some(DTYPES),
        families=some(FAMILIES, least=0),
        profiles=some(("portable", "cpu")),
        priority=st.integers(-2, 2),
        to=st.sampled_from(FORMATS),
    )


@st.composite
def backends(draw: st.DrawFn, *, name: str = "", embed_only: bool = False) -> Found:
    """A backend, working or not."""
    flaw = draw(st.sampled_from(["", "", "", "", "error", "blocked", "conflict"]))
    actions = ("embed",) if embed_only else ("embed", "convert")
    flaws: dict[str, Any] = {flaw: "a reason"} if flaw else {}
    return backend(
        name or draw(st.sampled_from(NAMES)),
        *draw(st.lists(capabilities(actions), min_size=1, max_size=2)),
        dist=draw(st.sampled_from(["hotbed", "acme", "zeta"])),
        hook_api=draw(st.sampled_from([1, 1, 1, 1, 2])),
        **flaws,
    )


def machines(**options: Any) -> st.SearchStrategy[list[Found]]:
    """What is installed: names are unique, as the catalog sees to it."""
    return st.lists(backends(**options), max_size=4, unique_by=lambda found: found.name)


models = st.builds(
    Model,
    name=st.just("m"),
    family=st.sampled_from(FAMILIES),
    variants=st.lists(
        st.builds(
            Variant,
            format=st.sampled_from(FORMATS),
            file=st.sampled_from(["model.onnx", "model.safetensors"]),
            storage=st.sampled_from([*DTYPES, "unknown"]),
            profile=st.sampled_from(["", "portable", "cpu"]),
        ),
        max_size=3,
    ).map(tuple),
)
requests = st.builds(
    Request,
    device=st.sampled_from(["auto", "auto", "cpu", "cuda", "cuda:1", "tpu"]),
    dtype=st.sampled_from([None, None, "float32", "fp16", "int8"]),
    backend=st.sampled_from([None, None, None, *NAMES]),
    action=st.sampled_from(["embed", "embed", "convert"]),
)
rules = st.builds(Rules, priority=some(NAMES, least=0), devices=some(DEVICES, least=0))
refusals = st.frozensets(st.tuples(st.sampled_from(NAMES), st.sampled_from(DEVICES)))

Ask = Callable[[Found, ProbeRequest], Probe]


def probing(refused: frozenset[tuple[str, str]]) -> Ask:
    """A machine on which some (backend, device) do not work."""

    def probe(found: Found, request: ProbeRequest) -> Probe:
        ok = (found.name, request.device.partition(":")[0]) not in refused
        return Probe(ok=ok, reason="" if ok else "not on this machine")

    return probe


def outcome(decision: Decision) -> tuple[object, ...]:
    """What was decided, without the other verdicts."""
    chosen = decision.chosen
    return () if chosen is None else (chosen.backend, chosen.dist, chosen.route, chosen.reason)


@given(machines(), models, requests, rules, refusals, st.randoms())
def test_order_of_installation_does_not_matter(
    found: list[Found], model: Model, request: Request, rules: Rules, refused: Any, random: Any
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
    found: list[Found], model: Model, request: Request, rules: Rules, refused: Any
) -> None:
    """Each backend has one verdict, each that is not chosen a reason, and at most one is chosen."""
    decision = select(request, model, found, probing(refused), rules)
    assert sorted(v.backend for v in decision.verdicts) == sorted(f.name for f in found)
    chosen = [v for v in decision.verdicts if v.stage is Stage.CHOSEN]
    assert chosen == ([decision.chosen] if decision.chosen else [])
    assert all(verdict.reason for verdict in decision.verdicts)
    assert decision.chosen is None or decision.verdicts[0] is decision.chosen


@given(machines(), models, requests, rules, refusals)
def test_what_is_chosen_fits_the_request(
    found: list[Found], model: Model, request: Request, rules: Rules, refused: Any
) -> None:
    """The chosen backend is usable, the one named, on the device and in the dtype asked for."""
    chosen = select(request, model, found, probing(refused), rules).chosen
    if chosen is None:
        return
    assert chosen.route is not None
    (backend_,) = (f for f in found if f.name == chosen.backend)
    assert backend_.usable
    assert request.backend in (None, chosen.backend)
    assert request.device in ("auto", chosen.route.device)
    assert request.canonical_dtype in (None, chosen.route.dtype)
    assert chosen.route.device.partition(":")[0] in chosen.route.capability.devices
    assert (chosen.backend, chosen.route.device.partition(":")[0]) not in refused
    assert chosen.route.capability.action == request.action


@st.composite
def useless(draw: st.DrawFn, request: Request) -> Found:
    """A backend under another name that cannot serve the request."""
    hopeless: dict[str, Any] = draw(
        st.sampled_from(
            [
                {"hook_api": 7},
                {"error": "ImportError"},
                {"blocked": "by the settings"},
                {"conflict": "with another"},
                {"capabilities": Capability(action="quantize", formats=FORMATS)},
                {"capabilities": Capability(action=request.action, formats="never")},
                {"capabilities": Capability(action="embed", formats=FORMATS, devices="vpu")},
                {"capabilities": Capability(action="embed", formats=FORMATS, dtypes="q4")},
            ]
        )
    )
    options = dict(hopeless)
    declared = options.pop("capabilities", None)
    dtypes = getattr(declared, "dtypes", ())
    assume("q4" not in dtypes or request.dtype is not None)
    capability = declared or draw(capabilities(("embed",)))
    name = draw(st.sampled_from(["0first", "zlast"]))
    dist = draw(st.sampled_from(["acme", "hotbed"]))
    return backend(name, capability, dist=dist, **options)


@given(machines(), models, requests, rules, refusals, st.data())
def test_a_backend_that_cannot_serve_changes_nothing(
    found: list[Found],
    model: Model,
    request: Request,
    rules: Rules,
    refused: Any,
    data: st.DataObject,
) -> None:
    """Installing what cannot serve leaves the decision and every other verdict as they were."""
    extra = data.draw(useless(request))
    before = select(request, model, found, probing(refused), rules)
    after = select(request, model, [extra, *found], probing(refused), rules)
    assert outcome(after) == outcome(before)
    assert tuple(v for v in after.verdicts if v.backend != extra.name) == before.verdicts


@given(machines(embed_only=True), models, requests, rules, refusals)
def test_the_choice_is_a_total_order(
    found: list[Found], model: Model, request: Request, rules: Rules, refused: Any
) -> None:
    """Choosing among halves and then between their winners gives the winner of the whole."""

    def winner(candidates: list[Found]) -> list[Found]:
        chosen = select(request, model, candidates, probing(refused), rules).chosen
        return [f for f in candidates if chosen is not None and f.name == chosen.backend]

    half = len(found) // 2
    assert winner(found) == winner(winner(found[:half]) + winner(found[half:]))
    if any(winner([candidate]) for candidate in found):
        assert winner(found)


@given(machines(embed_only=True), models, requests, refusals)
def test_a_third_party_never_displaces_hotbeds_own_by_itself(
    found: list[Found], model: Model, request: Request, refused: Any
) -> None:
    """Without a word in the settings, a first-party backend that can serve is chosen."""
    decision = select(request, model, found, probing(refused), Rules())
    own = [f for f in found if f.first_party]
    alone = select(request, model, own, probing(refused), Rules())
    if alone.chosen is not None:
        assert outcome(decision) == outcome(alone)
