"""Which stored weights may serve which arithmetic, and what the decision prints."""

from __future__ import annotations

import json

import pytest

from hotbed.backends import Probe, Variant
from hotbed.backends.decision import Decision, Model, Request, Rules, Stage
from hotbed.backends.selection import select
from hotbed.errors import UsageError
from tests.core.backends import backend, capability

ANY = capability(dtypes=("float32", "float16", "bfloat16", "int8", "q4"))
FLOATS = ("float32", "float16", "bfloat16")


def variant(storage: str, name: str = "") -> Variant:
    """An ONNX file stored so."""
    file = f"onnx/model{name or '_' + storage}.onnx"
    return Variant(format="onnx", file=file, storage=storage, profile="portable")


def decide(dtype: str | None, *variants: Variant) -> Decision:
    """Select for a backend that computes in anything."""
    model = Model(name="m", family="bert", variants=variants)
    return select(
        Request(dtype=dtype), model, [backend("a", ANY)], lambda f, r: Probe(ok=True), Rules()
    )


def served(dtype: str | None, *variants: Variant) -> tuple[str, str] | None:
    """(storage used, arithmetic), or None where nothing serves."""
    chosen = decide(dtype, *variants).chosen
    if chosen is None or chosen.route is None:
        return None
    return chosen.route.variant.storage, chosen.route.dtype


@pytest.mark.parametrize("reference", [*FLOATS, "int8", "q4"])
def test_nothing_asked_means_the_stored_weights(reference: str) -> None:
    """``dtype=None`` uses the first file, in its own arithmetic, whatever else lies beside it."""
    others = [variant(s) for s in ("int8", "q4", "float16") if s != reference]
    assert served(None, variant(reference, "_first"), *others) == (reference, reference)


@pytest.mark.parametrize("copy", ["float16", "bfloat16", "int8", "q4", "unknown"])
def test_a_rounded_copy_never_serves_unasked(copy: str) -> None:
    """A backend that reads none but the rounded copy is refused for ``dtype=None``."""
    reference = Variant(format="safetensors", file="model.safetensors", storage="float32")
    assert served(None, reference, variant(copy)) is None


@pytest.mark.parametrize("reference", ["float16", "bfloat16"])
def test_a_wider_copy_may_serve(reference: str) -> None:
    """A float32 copy of half-precision weights holds the same numbers, so it may serve."""
    first = Variant(format="safetensors", file="model.safetensors", storage=reference)
    assert served(None, first, variant("float32")) == ("float32", "float32")


@pytest.mark.parametrize("asked", FLOATS)
def test_float_arithmetic_reads_the_reference(asked: str) -> None:
    """Asked for floats, the reference weights are read, not an integer copy."""
    files = (variant("float32", ""), variant("int8"), variant("q4"))
    assert served(asked, *files) == ("float32", asked)


def test_float_arithmetic_of_a_quantised_model_is_refused() -> None:
    """A folder that holds nothing but int8 has no float weights to serve float32 from."""
    assert served("float32", variant("int8")) is None


@pytest.mark.parametrize("asked", ["int8", "q4"])
def test_integer_arithmetic_needs_a_file_quantised_so(asked: str) -> None:
    """Asked for int8, a file stored as int8 serves; a float file does not."""
    assert served(asked, variant("float32", ""), variant(asked)) == (asked, asked)
    decision = decide(asked, variant("float32", ""))
    assert decision.chosen is None
    assert decision.verdicts[0].stage is Stage.DTYPE
    assert f"so that {asked} " in decision.verdicts[0].reason
    assert "(float32)" in decision.verdicts[0].reason


def test_a_capability_may_limit_what_it_reads() -> None:
    """``storages`` keeps a backend away from files it cannot read."""
    model = Model(name="m", family="bert", variants=(variant("float16"),))
    picky = backend("a", capability(dtypes=FLOATS, storages="float32"))
    decision = select(Request(), model, [picky], lambda f, r: Probe(ok=True), Rules())
    assert decision.chosen is None


@pytest.mark.parametrize("spelling", ["fp16", "FLOAT16", "half"])
def test_spellings_are_understood(spelling: str) -> None:
    """A request takes any spelling and keeps one name."""
    assert Request(dtype=spelling).canonical_dtype == "float16"


def test_an_unknown_dtype_is_a_usage_error() -> None:
    """A dtype that nobody knows is refused with the ones that are known."""
    with pytest.raises(UsageError, match=r"dtype='float8' is not known; use float32, bfloat16"):
        Request(dtype="float8")


def test_the_table_shows_every_backend_once() -> None:
    """``explain()`` has one line a backend under the request, the chosen one first."""
    model = Model(name="minilm", family="bert", variants=(variant("float32", ""),))
    found = [backend("b"), backend("a", error="ImportError: libacme"), backend("c")]
    decision = select(Request(), model, found, lambda f, r: Probe(ok=True, reason="1.2"), Rules())
    head, *rows = decision.explain().splitlines()
    assert head == "embed minilm (device=auto, dtype=as stored)"
    assert [row.split()[:2] for row in rows] == [
        ["chosen", "b"],
        ["rejected", "a"],
        ["passed", "over"],
    ]
    assert "load: ImportError: libacme" in rows[1]
    assert "acme 1.0" in rows[1]
    nobody = select(
        Request(), model, [backend("c", dist="", version="")], lambda f, r: Probe(ok=True), Rules()
    )
    assert "unknown distribution" in nobody.explain()


def test_the_table_repeats_what_was_asked() -> None:
    """Device, dtype, backend and features of the request stand in the head line."""
    model = Model(name="m", family="bert", variants=())
    request = Request(device="cuda", dtype="bf16", backend="x", features=("sparse",))
    text = select(request, model, [], lambda f, r: Probe(ok=True), Rules()).explain()
    assert text.splitlines() == [
        "embed m (device=cuda, dtype=bf16, backend=x, features=sparse)",
        "  no backend is installed",
    ]


def test_a_decision_is_plain_data() -> None:
    """``as_dict()`` goes through JSON unchanged and names the chosen file."""
    decision = decide(None, variant("float32", ""))
    data = decision.as_dict()
    assert json.loads(json.dumps(data)) == data
    assert data["chosen"] == "a"
    assert data["verdicts"][0]["file"] == "onnx/model_float32.onnx"
    assert data["verdicts"][0]["stage"] == "chosen"
