"""The ways of one backend: which arithmetic serves, and the reasons where none does."""

from __future__ import annotations

from typing import Any

import pytest

from hotbed.backends import Manifest, Probe, Variant
from hotbed.backends.decision import Model, Request, Rules, Stage, Verdict
from hotbed.backends.selection import select
from tests.core.backends import backend, capability, module

INTEGERS = ("int8", "uint8", "q8", "q4", "bnb4")


def file(storage: str, kind: str = "onnx") -> Variant:
    """One file stored so."""
    return Variant(format=kind, file=f"model.{kind}", storage=storage)


def verdict(*capabilities: Any, variants: Any = None, **request: Any) -> Verdict:
    """The verdict on one backend, for a float32 file unless others are given."""
    model = Model(name="m", family="bert", variants=variants or (file("float32"),))
    asked = Request(**request)
    made = backend("a", *capabilities)
    return select(asked, model, [made], lambda f, r: Probe(ok=True), Rules()).verdicts[0]


def arithmetic(storage: str, *dtypes: str) -> str | None:
    """What serves ``dtype=None`` on a file stored so."""
    route = verdict(capability(dtypes=dtypes), variants=(file(storage),)).route
    return route.dtype if route else None


@pytest.mark.parametrize("narrow", ["bfloat16", "float16", "int8"])
def test_narrower_arithmetic_is_never_slipped_in(narrow: str) -> None:
    """Narrower arithmetic that stands first, or alone, gets no float32 model unasked."""
    assert arithmetic("float32", narrow, "float32") == "float32"
    assert arithmetic("float32", narrow) is None
    asked = verdict(capability(dtypes=narrow), dtype=narrow)
    assert (asked.stage is Stage.CHOSEN) == (narrow != "int8")


@pytest.mark.parametrize(
    ("stored", "dtypes", "served"),
    [
        ("float16", ("float32",), "float32"),
        ("float16", ("float32", "float16"), "float16"),
        ("bfloat16", ("float16", "float32"), "float32"),
        ("bfloat16", ("float16",), None),
        ("q4f16", ("float16",), "float16"),
        *((kind, ("float32",), "float32") for kind in INTEGERS),
        *((kind, ("float32", kind), kind) for kind in INTEGERS),
        *((kind, ("bfloat16",), None) for kind in INTEGERS),
        ("unknown", ("bfloat16", "float32"), "bfloat16"),
        ("float64", ("float32",), "float32"),
    ],
)
def test_nothing_asked_means_the_stored_arithmetic_or_wider(
    stored: str, dtypes: tuple[str, ...], served: str | None
) -> None:
    """The stored type where the backend has it, else one that loses nothing, else none."""
    assert arithmetic(stored, *dtypes) == served


def test_a_half_model_that_is_converted_may_run_in_half() -> None:
    """What its weights are is decided by the file that the converter reads."""
    convert = capability("convert", formats="safetensors", to="onnx")
    reader = capability(dtypes=("float16", "bfloat16"))
    for storage in ("float16", "bfloat16"):
        got = verdict(reader, convert, variants=(file(storage, "safetensors"),))
        assert got.route is not None
        assert got.route.dtype == storage
    assert verdict(reader, convert, variants=(file("float32", "safetensors"),)).route is None


def test_the_reason_says_that_narrower_arithmetic_has_to_be_asked_for() -> None:
    """The message names how the weights are stored and what there is."""
    reason = verdict(capability(dtypes=("bfloat16", "float16"))).reason
    assert reason == (
        "the weights are float32; it computes in bfloat16, float16: "
        "narrower arithmetic has to be asked for"
    )


def test_features_have_to_be_in_one_capability() -> None:
    """Two capabilities with half of what is asked for do not add up, and the reason says so."""
    halves = (capability(features="sparse"), capability(features="colbert"))
    asked = ("sparse", "colbert")
    got = verdict(*halves, features=asked)
    assert (got.stage, got.reason) == (
        Stage.DTYPE,
        "has sparse, colbert, and not all in one capability",
    )
    whole = verdict(*halves, capability(features=asked), features=asked)
    assert whole.stage is Stage.CHOSEN


def test_a_feature_that_is_nowhere_is_named() -> None:
    """Only what is missing stands in the reason."""
    got = verdict(capability(features="sparse"), features=("sparse", "splade"))
    assert got.reason == "lacks the feature splade"


@pytest.mark.parametrize(
    ("nothing", "stage", "reason"),
    [
        ({"devices": ()}, Stage.DEVICE, "asked for auto; runs on nothing"),
        ({"dtypes": ()}, Stage.DTYPE, "the weights are float32; it computes in nothing"),
        ({"formats": ()}, Stage.FORMAT, "reads nothing (profiles: portable); the folder holds"),
    ],
)
def test_an_empty_declaration_is_a_reason_and_no_crash(
    nothing: dict[str, Any], stage: Stage, reason: str
) -> None:
    """A manifest that leaves something out is passed over like any other that does not fit."""
    got = verdict(capability(**nothing))
    assert got.stage is stage
    assert got.reason.startswith(reason)


def test_a_backend_without_capabilities_does_nothing() -> None:
    """An empty manifest is rejected at the action."""
    manifest = Manifest(name="a", hook_api=1, capabilities=())
    empty = backend("a", plugin=module("a", manifest))
    model = Model(name="m", family="bert", variants=(file("float32"),))
    decision = select(Request(), model, [empty], lambda f, r: Probe(ok=True), Rules())
    assert decision.verdicts[0].reason == "asked for embed embedding; it does nothing"


def test_a_probe_without_a_reason_gets_one() -> None:
    """A bare no is told as such."""
    model = Model(name="m", family="bert", variants=(file("float32"),))
    decision = select(Request(), model, [backend("a")], lambda f, r: Probe(ok=False), Rules())
    assert decision.verdicts[0].reason == "its probe said no, and gave no reason"


def test_who_was_refused_on_one_device_and_not_asked_on_the_next_is_passed_over() -> None:
    """The verdict says by whom it was passed over, and what was refused before, with its fix."""
    both = backend("both", capability(devices=("cuda", "cpu")))
    own = backend("own", dist="hotbed")
    model = Model(name="m", family="bert", variants=(file("float32"),))

    def probe(found: Any, request: Any) -> Probe:
        return Probe(ok=request.device == "cpu", reason="no driver", fix="install a driver")

    rules = Rules(priority=("both",), devices=("cuda", "cpu"))
    chosen = select(Request(), model, [both, own], probe, rules).verdicts[0]
    assert chosen.reason == (
        "float32 on cpu; model.onnx; no driver; passed over model.onnx on cuda: no driver"
    )
    third = backend("third", capability(devices=("cuda", "cpu"), priority=5))
    decision = select(
        Request(), model, [third, backend("zed", capability(priority=9))], probe, Rules()
    )
    assert [(v.backend, v.stage) for v in decision.verdicts] == [
        ("zed", Stage.CHOSEN),
        ("third", Stage.PASSED_OVER),
    ]
    assert decision.verdicts[1].reason == (
        "not asked, for it ranks below zed: its declared priority is lower; "
        "passed over model.onnx on cuda: no driver"
    )
    assert decision.verdicts[1].fix == "install a driver"
