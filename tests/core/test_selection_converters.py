"""Which converter is used, and what happens where one cannot work."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import pytest

from hotbed.backends import Probe, ProbeRequest, Variant
from hotbed.backends.catalog import Found
from hotbed.backends.decision import Decision, Model, Request, Route, Rules, Stage
from hotbed.backends.selection import select
from tests.core.backends import backend, capability

SAFE = Variant(format="safetensors", file="model.safetensors", storage="float32")
ONNX = Variant(format="onnx", file="onnx/model.onnx", storage="float32", profile="portable")
READ = capability(profiles=("cpu", "portable"))
OWN = backend("own", READ, dist="hotbed")


def converting(**changes: Any) -> Any:
    """A capability that writes ONNX from safetensors, in both profiles, changed."""
    usual = {"formats": "safetensors", "to": "onnx", "profiles": ("cpu", "portable")}
    return capability("convert", **{**usual, **changes})


def choose(
    *found: Found, refused: Collection[tuple[str, str, str]] = (), **options: Any
) -> Decision:
    """Select where some (backend, action, device) say no, and say that they are missing."""
    model = Model(
        name="m", family=options.pop("family", "bert"), variants=options.pop("variants", (SAFE,))
    )

    def probe(one: Found, request: ProbeRequest) -> Probe:
        no = (one.name, request.action, request.device) in refused
        return Probe(ok=not no, reason=f"{one.name} lacks onnx" if no else "", fix="mend it" * no)

    return select(Request(**options), model, found, probe, Rules())


def route(decision: Decision) -> Route:
    """The way chosen."""
    assert decision.chosen is not None
    assert decision.chosen.route is not None
    return decision.chosen.route


def test_a_converter_that_cannot_work_is_not_used() -> None:
    """The next converter takes its place, and the reason tells which was passed over and why."""
    found = (OWN, backend("alpha", converting()), backend("beta", converting()))
    decision = choose(*found, refused={("alpha", "convert", "cpu")})
    assert route(decision).converter == "beta"
    assert decision.chosen is not None
    assert decision.chosen.reason == (
        "float32 on cpu; model.safetensors → onnx (cpu) by beta; "
        "passed over model.safetensors → onnx (cpu) by alpha on cpu: alpha lacks onnx"
    )


def test_where_no_converter_works_the_reason_is_the_first_ones() -> None:
    """The reader is rejected at its probe with the file, the converter's reason and its fix."""
    decision = choose(OWN, backend("alpha", converting()), refused={("alpha", "convert", "cpu")})
    verdict = decision.verdicts[1]
    assert decision.chosen is None
    assert (verdict.backend, verdict.stage, verdict.fix) == ("own", Stage.PROBE, "mend it")
    assert verdict.reason == "model.safetensors → onnx (cpu) by alpha: alpha lacks onnx"


def test_a_file_that_is_there_is_used_where_nothing_can_convert() -> None:
    """The preferred profile cannot be made here, so the portable file serves."""
    own = backend("own", READ, converting(), dist="hotbed")
    refused = {("own", "convert", "cpu")}
    assert route(choose(own, variants=(SAFE, ONNX))).converter == "own"
    assert route(choose(own, variants=(SAFE, ONNX), refused=refused)).variant == ONNX


def test_a_converter_is_tried_on_each_of_its_devices() -> None:
    """One that prefers a GPU, which is not there, converts on the CPU."""
    found = (OWN, backend("alpha", converting(devices=("cuda", "cpu"))))
    decision = choose(*found, refused={("alpha", "convert", "cuda")})
    assert route(decision).converter_device == "cpu"


def test_the_converter_is_asked_about_converting() -> None:
    """Its probe is for the action convert, on its own device, and never about a dtype."""
    asked: list[tuple[str, ProbeRequest]] = []

    def probe(found: Found, request: ProbeRequest) -> Probe:
        asked.append((found.name, request))
        return Probe(ok=True)

    model = Model(name="m", family="bert", variants=(SAFE,))
    select(Request(), model, [OWN, backend("alpha", converting(devices="npu"))], probe, Rules())
    assert asked == [
        ("own", ProbeRequest(action="embed", device="cpu", dtype="float32")),
        ("alpha", ProbeRequest(action="convert", device="npu")),
    ]


def test_a_reader_that_says_no_is_not_asked_for_each_converter() -> None:
    """The same question about another file is the same no; it stands in the reason once."""
    asked: list[str] = []

    def probe(found: Found, request: ProbeRequest) -> Probe:
        asked.append(found.name)
        return Probe(ok=False, reason="no driver")

    model = Model(name="m", family="bert", variants=(SAFE, ONNX))
    found = [OWN, backend("alpha", converting()), backend("beta", converting())]
    select(Request(), model, found, probe, Rules())
    assert asked == ["own"]


def test_the_target_is_what_the_converter_writes() -> None:
    """A reader of two formats gets the one that can be written, not the first on its list."""
    reader = backend("reader", capability(formats=("openvino", "onnx")))
    chosen = route(choose(reader, backend("alpha", converting())))
    assert (chosen.to, chosen.file) == (
        "onnx",
        "model.safetensors → onnx (portable) by alpha",
    )


def test_the_reader_has_to_know_the_architecture_too() -> None:
    """A converter that knows the family does not make a reader run what it does not know."""
    reader = backend("reader", capability(families="t5"))
    decision = choose(reader, backend("alpha", converting(families="bert")))
    assert decision.chosen is None
    assert decision.verdicts[1].stage is Stage.FAMILY
    assert decision.verdicts[1].reason == "model_type 'bert' is not one it knows (t5)"


def test_a_converter_of_another_task_is_not_used() -> None:
    """What converts rerankers is not asked for an embedding model."""
    assert choose(OWN, backend("alpha", converting(task="rerank"))).chosen is None


def test_a_converter_that_knows_the_family_is_asked_before_one_that_does_not() -> None:
    """Only converters that know the architecture take part."""
    found = (OWN, backend("alpha", converting(families="t5")), backend("beta", converting()))
    assert route(choose(*found)).converter == "beta"
    assert choose(*found, refused={("beta", "convert", "cpu")}).chosen is None


def test_many_converters_are_not_all_listed() -> None:
    """Where nobody knows the family, five of those asked are named and the rest counted."""
    others = [backend(f"c{n}", converting(families="t5")) for n in range(8)]
    reason = next(v for v in choose(OWN, *others).verdicts if v.backend == "own").reason
    assert reason == (
        "no converter here knows model_type 'bert' (asked: c0, c1, c2, c3, c4 and 3 more)"
    )


def test_a_foreign_converter_comes_after_a_file_that_is_there() -> None:
    """Installing somebody's converter does not change the file that hotbed's own backend reads."""
    decision = choose(OWN, backend("alpha", converting()), variants=(SAFE, ONNX))
    assert route(decision).converter == ""


def test_a_foreign_converter_comes_after_another_backend_that_needs_none() -> None:
    """Nor does it hand the model to another backend, which could not serve it before."""
    low = backend("low", capability(formats="safetensors", priority=-5), dist="hotbed")
    decision = choose(OWN, low, backend("alpha", converting()))
    assert decision.chosen is not None
    assert decision.chosen.backend == "low"
    own = next(verdict for verdict in decision.verdicts if verdict.backend == "own")
    assert own.reason.endswith("low: somebody else's plugin would have to convert for it")


@pytest.mark.parametrize("stranger", ["aaa", "zzz"])
def test_a_distributions_own_converter_comes_before_a_foreign_one(stranger: str) -> None:
    """Who brings reader and converter is not handed over to a stranger with an earlier name."""
    mine = backend("mine", READ, converting(), dist="acme")
    other = backend(stranger, converting(), dist="zeta")
    decision = choose(mine, other)
    assert route(decision).converter == "mine"
    decision = choose(mine, other, refused={("mine", "convert", "cpu")})
    assert route(decision).converter == stranger


def test_a_converter_with_nothing_in_it_does_no_harm() -> None:
    """Empty devices, formats or profiles mean that it never takes part."""
    for nothing in ({"devices": ()}, {"formats": ()}, {"profiles": ()}, {"to": ""}):
        decision = choose(OWN, backend("alpha", converting(**nothing)), variants=(SAFE, ONNX))
        assert route(decision).variant == ONNX


def test_what_can_be_read_is_not_converted() -> None:
    """A reader of both formats gets the file as it is, though a converter would write the other."""
    reader = backend("reader", capability(formats=("safetensors", "onnx")), converting())
    assert route(choose(reader)).file == "model.safetensors"


def test_hotbeds_own_converter_is_asked_before_the_readers_own() -> None:
    """Whatever their names; and where hotbed's cannot work, the reader's own is asked."""
    mine = backend("mine", READ, converting(), dist="acme")
    own = backend("zz_own", converting(), dist="hotbed")
    assert route(choose(mine, own)).converter == "zz_own"
    assert route(choose(mine, own, refused={("zz_own", "convert", "cpu")})).converter == "mine"


def test_each_converter_is_passed_over_once() -> None:
    """Own and foreign converters that say no stand in the reason once each."""
    found = [
        OWN,
        backend("near", converting(), dist="hotbed"),
        backend("alpha", converting()),
        backend("beta", converting()),
    ]
    decision = choose(*found, refused={("near", "convert", "cpu"), ("alpha", "convert", "cpu")})
    assert decision.chosen is not None
    reason = decision.chosen.reason
    assert [reason.count(f"(cpu) by {name} on cpu") for name in ("near", "alpha")] == [1, 1]
    assert route(decision).converter == "beta"


def test_who_said_no_is_not_passed_over_for_a_way_that_was_not_asked() -> None:
    """The same no holds for a foreign conversion that would have come later."""
    low = backend("low", capability(priority=-5))
    found = (OWN, low, backend("alpha", converting()))
    decision = choose(*found, variants=(SAFE, ONNX), refused={("own", "embed", "cpu")})
    assert decision.chosen is not None
    assert decision.chosen.backend == "low"
    stages = {verdict.backend: verdict.stage for verdict in decision.verdicts}
    assert stages["own"] is Stage.PROBE


def test_a_second_foreign_converter_changes_nothing() -> None:
    """Not even if it writes the profile that the reader would rather have."""
    first = backend("first", converting(profiles=("portable",)), dist="one")
    second = backend("second", converting(), dist="two")
    assert route(choose(OWN, first, second)) == route(choose(OWN, first))
