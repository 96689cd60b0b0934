"""Selection by example: one test for each stage, and the rules of ranking."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from hotbed.backends import Probe, ProbeRequest, Variant
from hotbed.backends.catalog import Found
from hotbed.backends.decision import Decision, Model, Request, Rules, Stage, Verdict
from hotbed.backends.selection import select
from tests.core.backends import EMBED, backend, capability

ONNX = Variant(format="onnx", file="onnx/model.onnx", storage="float32", profile="portable")
SAFE = Variant(format="safetensors", file="model.safetensors", storage="float32")
CONVERT = capability(
    "convert", formats="safetensors", to="onnx", families="bert", profiles=("cpu", "portable")
)
TUNED = capability(profiles=("cpu", "portable"))


def yes(found: Found, request: ProbeRequest) -> Probe:
    """A machine that can do everything."""
    return Probe(ok=True)


def choose(
    *found: Found,
    variants: tuple[Variant, ...] = (ONNX,),
    family: str = "bert",
    probe: Callable[[Found, ProbeRequest], Probe] = yes,
    rules: Rules | None = None,
    **request: Any,
) -> Decision:
    """Select for a model with these files."""
    model = Model(name="m", family=family, variants=variants)
    return select(Request(**request), model, found, probe, rules or Rules())


def only(*found: Found, **options: Any) -> Verdict:
    """The verdict on the one backend."""
    (verdict,) = choose(*found, **options).verdicts
    return verdict


def test_a_backend_that_fits_is_chosen() -> None:
    """The one candidate is chosen, and the decision says on what, with which file."""
    decision = choose(backend("a"))
    assert decision.chosen is not None
    assert decision.chosen.backend == "a"
    assert decision.chosen.stage is Stage.CHOSEN
    assert decision.chosen.reason == "float32 on cpu; onnx/model.onnx"


@pytest.mark.parametrize(
    ("found", "request_", "stage", "reason"),
    [
        (backend("a", blocked="blocked by the settings"), {}, Stage.BLOCKED, "settings"),
        (backend("a", conflict="b has it too"), {}, Stage.CONFLICT, "b has it too"),
        (backend("a", error="ImportError: x"), {}, Stage.LOAD, "ImportError: x"),
        (backend("a", plugin=object()), {}, Stage.LOAD, "holds no `HOTBED = Manifest"),
        (backend("a", hook_api=2), {}, Stage.HOOK_API, "written for 2, this hotbed speaks 1"),
        (backend("a"), {"backend": "b"}, Stage.NAMED, "backend='b' was named"),
        (backend("a", CONVERT), {}, Stage.ACTION, "asked for embed embedding; it does convert"),
        (backend("a", capability(task="rerank")), {}, Stage.ACTION, "it does embed rerank"),
        (backend("a", capability(formats="gguf")), {}, Stage.FORMAT, "reads gguf"),
        (backend("a", capability(profiles="cuda")), {}, Stage.FORMAT, r"cuda\); the folder"),
        (backend("a", capability(families="t5")), {}, Stage.FAMILY, r"'bert' .* knows? \(t5\)"),
        (backend("a"), {"device": "cuda"}, Stage.DEVICE, "asked for cuda; runs on cpu"),
        (backend("a"), {"dtype": "bf16"}, Stage.DTYPE, "bfloat16; it computes in float32"),
        (backend("a"), {"features": ("sparse",)}, Stage.DTYPE, "lacks the feature sparse"),
    ],
)
def test_each_stage_gives_its_reason(
    found: Found, request_: dict[str, Any], stage: Stage, reason: str
) -> None:
    """A backend drops out at the first stage that leaves it nothing, with values in the reason."""
    verdict = only(found, **request_)
    assert verdict.stage is stage
    assert re.search(reason, verdict.reason)


def test_the_first_stage_that_fails_is_the_reason() -> None:
    """A blocked backend that would fail elsewhere too is reported as blocked."""
    found = backend("a", capability(devices="tpu"), hook_api=9, blocked="no", conflict="b")
    assert only(found).stage is Stage.BLOCKED


@pytest.mark.parametrize(("api", "fix"), [(0, "pip install -U acme"), (2, "pip install -U hotbed")])
def test_the_fix_names_who_is_too_old(api: int, fix: str) -> None:
    """A backend of an older hook API is to be updated; for a newer one hotbed is."""
    assert only(backend("a", hook_api=api)).fix == fix


def test_a_probe_that_says_no_is_the_last_stage() -> None:
    """The probe's reason and fix stand in the verdict, and the next in rank is asked."""

    def probe(found: Found, request: ProbeRequest) -> Probe:
        return Probe(ok=found.name == "b", reason="no driver", fix="install it")

    decision = choose(backend("a"), backend("b"), probe=probe)
    assert decision.chosen is not None
    assert decision.chosen.backend == "b"
    rejected = decision.verdicts[1]
    assert (rejected.stage, rejected.reason, rejected.fix) == (
        Stage.PROBE,
        "no driver",
        "install it",
    )


def test_probes_run_in_rank_order_and_stop_at_the_first_yes() -> None:
    """A backend ranked below the chosen one is not asked: probes may import a runtime."""
    asked: list[str] = []

    def probe(found: Found, request: ProbeRequest) -> Probe:
        asked.append(found.name)
        return Probe(ok=found.name == "b")

    choose(backend("c"), backend("a"), backend("b"), backend("d", error="x"), probe=probe)
    assert asked == ["a", "b"]


def test_ranking() -> None:
    """Settings' priority, then first-party, then device, then declared priority, then name."""
    loud = backend("loud", capability(priority=99))
    own = backend("own", dist="hotbed")
    plain = backend("plain")
    also = backend("also")

    def chosen(*found: Found, **rules: Any) -> str:
        decision = choose(*found, rules=Rules(**rules))
        assert decision.chosen is not None
        return decision.chosen.backend

    assert chosen(plain, also) == "also"
    assert chosen(plain, loud, also) == "loud"
    assert chosen(plain, loud, own) == "own"
    assert chosen(plain, loud, own, priority=("plain", "loud")) == "plain"
    gpu = backend("zgpu", capability(devices="cuda"))
    assert chosen(loud, gpu) == "zgpu"
    assert chosen(loud, gpu, devices=("cpu", "cuda")) == "loud"


def test_what_could_serve_is_passed_over_with_the_reason() -> None:
    """A backend that lost only by rank says to whom and why."""
    decision = choose(backend("own", dist="hotbed"), backend("loud", capability(priority=9)))
    assert decision.verdicts[1].stage is Stage.PASSED_OVER
    assert decision.verdicts[1].reason == "not asked, for it ranks below own: it is not first-party"


@pytest.mark.parametrize(
    ("better", "rules", "reason"),
    [
        (backend("a"), {"priority": ("a",)}, "it is not in the settings' priority list as high"),
        (backend("a", dist="hotbed"), {}, "it is not first-party"),
        (backend("a", capability(devices="cuda")), {}, "its device comes later"),
        (backend("a", capability(priority=1)), {}, "its declared priority is lower"),
        (backend("a"), {}, "its name comes later"),
    ],
)
def test_the_reason_is_what_ranked_it_below(
    better: Found, rules: dict[str, Any], reason: str
) -> None:
    """Whoever is passed over reads the first difference to the one chosen."""
    passed_over = choose(better, backend("b"), rules=Rules(**rules)).verdicts[1]
    assert passed_over.reason == f"not asked, for it ranks below a: {reason}"


def test_a_named_device_is_used_or_nothing() -> None:
    """``device="cuda:1"`` reaches a backend that runs on cuda with that very device."""
    both = backend("a", capability(devices=("cpu", "cuda")))
    decision = choose(both, device="cuda:1")
    assert decision.chosen is not None
    assert decision.chosen.route is not None
    assert decision.chosen.route.device == "cuda:1"
    assert choose(backend("b"), device="cuda:1").chosen is None


def test_auto_falls_to_the_next_device_of_the_same_backend() -> None:
    """Where a backend's GPU is not there, ``auto`` uses its CPU."""

    def probe(found: Found, request: ProbeRequest) -> Probe:
        return Probe(ok=request.device == "cpu", reason="no gpu")

    verdict = only(backend("a", capability(devices=("cpu", "cuda"))), probe=probe)
    assert verdict.stage is Stage.CHOSEN
    assert verdict.route is not None
    assert verdict.route.device == "cpu"


def test_a_file_is_converted_where_nothing_fits_as_it_is() -> None:
    """safetensors alone reaches an ONNX backend through a converter, in its preferred profile."""
    verdict = only(backend("a", TUNED, CONVERT), variants=(SAFE,))
    assert verdict.route is not None
    assert (verdict.route.converter, verdict.route.profile) == ("a", "cpu")
    assert verdict.reason == "float32 on cpu; model.safetensors → onnx (cpu) by a"


def test_a_tuned_graph_is_preferred_to_a_portable_file() -> None:
    """The backend's first profile wins, even where that means converting."""
    verdict = only(backend("a", TUNED, CONVERT), variants=(SAFE, ONNX))
    assert verdict.route is not None
    assert verdict.route.converter == "a"


def test_an_unknown_family_names_the_converters_that_were_asked() -> None:
    """Where no converter knows the architecture, the reason says the family and who was asked."""
    verdict = only(backend("a", TUNED, CONVERT), variants=(SAFE,), family="mamba")
    assert verdict.stage is Stage.FAMILY
    assert verdict.reason == "no converter here knows model_type 'mamba' (asked: a)"


def test_hotbeds_own_converter_comes_first() -> None:
    """A foreign converter with an earlier name does not change what is converted."""
    own = backend("own", TUNED, CONVERT, dist="hotbed")
    decision = choose(backend("aaa", CONVERT), own, variants=(SAFE,))
    assert decision.chosen is not None
    assert decision.chosen.route is not None
    assert decision.chosen.route.converter == "own"


def test_converting_is_selected_like_embedding() -> None:
    """``action="convert"`` chooses among converters."""
    decision = choose(backend("a"), backend("b", CONVERT), variants=(SAFE,), action="convert")
    assert decision.chosen is not None
    assert decision.chosen.backend == "b"


def test_embed_capability_default_is_what_the_examples_use() -> None:
    """The examples' plain backend reads portable ONNX on the CPU in float32."""
    assert (EMBED.formats, EMBED.devices, EMBED.dtypes) == (("onnx",), ("cpu",), ("float32",))


def test_a_conversion_is_chosen_by_what_it_writes() -> None:
    """``to`` leaves out who writes something else, and says what that is."""
    other = capability("convert", formats="safetensors", to="gguf", families="bert")
    writers = (backend("a", CONVERT), backend("b", other))
    decision = choose(*writers, variants=(SAFE,), action="convert", to="gguf")
    assert [verdict.backend for verdict in decision.verdicts] == ["b", "a"]
    assert decision.verdicts[1].stage is Stage.ACTION
    assert decision.verdicts[1].reason == "asked to write gguf; it writes onnx"


def test_a_direct_request_converts_nothing() -> None:
    """What would have to be converted first cannot serve it."""
    found = backend("a", TUNED, CONVERT)
    assert choose(found, variants=(SAFE,)).chosen is not None
    verdict = only(found, variants=(SAFE,), direct=True)
    assert verdict.stage is Stage.FORMAT
