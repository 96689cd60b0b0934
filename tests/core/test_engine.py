"""The engine holds a backend to its contract, and says who broke it."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hotbed.backends import (
    Artifact,
    ConvertTarget,
    Loaded,
    LoadOptions,
    Pooling,
    Probe,
    ProbeRequest,
    TokenBatch,
    Variant,
)
from hotbed.backends.engine import Engine
from hotbed.errors import BackendError, ClosedError, CorruptFileError
from hotbed.inference.defaults import CoreDefaults
from tests.core.backends import backend, wrapper

ARTIFACT = Artifact(
    folder=Path("m"),
    path=Path("m/model.onnx"),
    variant=Variant(format="onnx", file="model.onnx"),
)
ONES = np.ones((2, 3), dtype=np.int64)
BATCH = TokenBatch(input_ids=ONES, attention_mask=ONES, pooling_mask=ONES)
SENTENCES, TOKENS = "sentence_embedding", "token_embeddings"


def facts(*outputs: str) -> Loaded:
    """What a well-behaved load gives."""
    return Loaded(
        handle=object(),
        device="cpu",
        provider="numpy",
        dtype="float32",
        outputs=outputs or (SENTENCES, TOKENS),
        dimension=4,
    )


def engine(*, wrappers: tuple[Any, ...] = (), **hooks: Any) -> Engine:
    """An engine over a backend with these hooks."""
    return Engine(backend("acme", hooks=hooks), wrappers=wrappers, defaults=[CoreDefaults()])


def embedding(value: Any) -> Engine:
    """An engine whose embed hook gives ``value``."""
    return engine(hotbed_embed=lambda loaded: value)


def test_a_loaded_model_comes_through() -> None:
    """What ``hotbed_load`` gives is what the core gets; an implementation names what it wants."""
    given = facts()
    loaded = engine(hotbed_load=lambda options: given).load(ARTIFACT, LoadOptions())
    assert loaded.handle is given.handle
    assert loaded.backend == "acme"  # filled in for wrappers


@pytest.mark.parametrize("value", [None, object(), "handle", {"device": "cpu"}])
def test_load_must_give_loaded(value: object) -> None:
    """Anything but ``Loaded`` names the plugin, its distribution, the hook and the type."""
    made = engine(hotbed_load=lambda: value)
    expected = rf"'acme' \(acme 1\.0\): hotbed_load gave {type(value).__name__}, and Loaded"
    with pytest.raises(BackendError, match=expected):
        made.load(ARTIFACT, LoadOptions())


def test_a_hook_that_is_not_there_is_named() -> None:
    """A backend that declares an action and lacks its hook is told which one."""
    with pytest.raises(BackendError, match="hotbed_convert gave NoneType, and tuple"):
        engine().convert(Path("m"), ConvertTarget(), Path("out"))


def test_what_a_plugin_raises_becomes_a_backend_error() -> None:
    """A plugin's exception keeps its cause and gains plugin, distribution and hook."""

    def fail() -> Loaded:
        raise RuntimeError("driver too old")

    with pytest.raises(BackendError, match=r"\(acme 1\.0\) failed in hotbed_load: Run") as caught:
        engine(hotbed_load=fail).load(ARTIFACT, LoadOptions())
    assert isinstance(caught.value.__cause__, RuntimeError)


@pytest.mark.parametrize("error", [CorruptFileError("cut off"), ClosedError("no"), MemoryError()])
def test_our_own_errors_go_through(error: Exception) -> None:
    """hotbed's errors and a lack of memory reach the user as they are."""

    def fail() -> Loaded:
        raise error

    with pytest.raises(type(error)) as caught:
        engine(hotbed_load=fail).load(ARTIFACT, LoadOptions())
    assert caught.value is error


@pytest.mark.parametrize(
    ("value", "gave"),
    [
        ({}, "gave nothing"),
        ({SENTENCES: np.zeros((3, 4), np.float32)}, r"the shape \(3, 4\)"),
        ({SENTENCES: np.zeros((2, 5), np.float32)}, r"the shape \(2, 5\)"),
        ({SENTENCES: np.zeros((2, 1), np.float32)}, r"the shape \(2, 1\)"),
        ({SENTENCES: np.zeros(4, np.float32)}, r"the shape \(4,\)"),
        ({SENTENCES: np.float32(1)}, r"float32 of the shape \(\)"),
        ({SENTENCES: [[0.0] * 4] * 2}, "gave list"),
    ],
)
def test_one_row_a_text_and_the_declared_width(value: dict[str, Any], gave: str) -> None:
    """Missing outputs, wrong rows and wrong widths are the backend's mistake, with both shapes."""
    with pytest.raises(BackendError, match=rf"{gave}.*the shape \(2, 4\) is expected"):
        embedding(value).embed(facts(), BATCH, (SENTENCES,))


def test_embed_must_give_a_dict() -> None:
    """A bare array is not the contract."""
    with pytest.raises(BackendError, match="hotbed_embed gave ndarray, and dict"):
        embedding(np.zeros((2, 4), np.float32)).embed(facts(), BATCH, (SENTENCES,))


def test_token_embeddings_have_one_row_a_token() -> None:
    """Token embeddings are (batch, tokens, hidden); hidden is free beside sentences."""
    good = {TOKENS: np.zeros((2, 3, 7), np.float32)}
    assert embedding(good).embed(facts(), BATCH, (TOKENS,)) is good
    with pytest.raises(BackendError, match=r"\(2, 3, 4\) is expected"):
        embedding(good).embed(facts(TOKENS), BATCH, (TOKENS,))
    short = {TOKENS: np.zeros((2, 2, 7), np.float32)}
    with pytest.raises(BackendError, match=r"\(2, 3, any\) is expected"):
        embedding(short).embed(facts(), BATCH, (TOKENS,))


def test_other_outputs_need_one_row_a_text() -> None:
    """An output that the core does not know is free but for its rows."""
    good = {"logits": np.zeros((2, 900), np.float32)}
    assert embedding(good).embed(facts("logits"), BATCH, ("logits",)) is good
    with pytest.raises(BackendError, match=r"\(2, any\) is expected"):
        embedding({"logits": np.zeros((1, 9))}).embed(facts("logits"), BATCH, ("logits",))


@pytest.mark.parametrize(
    ("name", "shape", "expected"),
    [("sparse", (2, 900), r"\(2, 3\)"), ("colbert", (2, 2, 8), r"\(2, 3, any\)")],
)
def test_outputs_of_tokens_need_every_token(
    name: str, shape: tuple[int, ...], expected: str
) -> None:
    """A weight, or a vector, for each token of the batch."""
    with pytest.raises(BackendError, match=rf"the shape {expected} is expected"):
        embedding({name: np.zeros(shape)}).embed(facts(name), BATCH, (name,))


def test_the_core_pools_where_the_backend_does_not() -> None:
    """Without ``hotbed_pool``, or where it gives None, numpy's pooling answers."""
    tokens = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    mean = Pooling(modes=("mean",))
    for made in (engine(), engine(hotbed_pool=lambda: None)):
        np.testing.assert_allclose(made.pool(facts(), tokens, BATCH, mean), tokens.mean(axis=1))


def test_a_backend_that_pools_is_asked_first() -> None:
    """A backend's own pooling wins over the core's."""
    own = np.full((2, 4), 7, dtype=np.float32)
    tokens = np.zeros((2, 3, 4), np.float32)
    assert engine(hotbed_pool=lambda: own).pool(facts(), tokens, BATCH, Pooling()) is own


def test_wrappers_see_every_call() -> None:
    """A wrapper is called around the backend's hook and sees arguments and result."""
    seen: list[tuple[str, Any]] = []

    def around(outputs: tuple[str, ...]) -> Generator[None, Any, Any]:
        seen.append(("before", outputs))
        result = yield
        seen.append(("after", result))
        return result

    value = {SENTENCES: np.zeros((2, 4), np.float32)}
    made = engine(wrappers=(wrapper(hotbed_embed=around),), hotbed_embed=lambda: value)
    assert made.embed(facts(), BATCH, (SENTENCES,)) is value
    assert seen == [("before", (SENTENCES,)), ("after", value)]


def test_close_reaches_the_backend() -> None:
    """``close`` hands the backend what its load gave."""
    closed: list[Loaded] = []
    given = facts()
    engine(hotbed_close=lambda loaded: closed.append(loaded)).close(given)
    assert closed == [given]


def test_two_engines_do_not_reach_one_another() -> None:
    """Each backend has a plugin manager of its own, so a call reaches exactly one of them."""
    first, second = facts(), facts()
    one = engine(hotbed_load=lambda: first)
    two = engine(hotbed_load=lambda: second)
    assert one.load(ARTIFACT, LoadOptions()).handle is first.handle
    assert two.load(ARTIFACT, LoadOptions()).handle is second.handle


@pytest.mark.parametrize(
    "hooks",
    [
        {"hotbed_laod": lambda: None},
        {"hotbed_load": lambda artefact: None},
    ],
)
def test_a_hook_that_does_not_fit_is_told_to_its_author(hooks: dict[str, Any]) -> None:
    """A misspelt hook or argument is refused by name, in words for the backend's author."""
    with pytest.raises(BackendError, match=r"(?s)does not fit hotbed's hooks.*Backend author"):
        engine(**hooks)


def test_a_backend_without_manifest_is_refused() -> None:
    """An engine needs a manifest."""
    with pytest.raises(BackendError, match=r"no manifest: `HOTBED = Manifest"):
        Engine(backend("acme", error="ImportError"))


REQUEST = ProbeRequest(action="embed", device="cpu")


def test_without_a_probe_the_needs_are_looked_for() -> None:
    """A backend that brings no probe is asked whether its modules can be found."""
    manifest = {"needs": ("json", "acme_runtime_not_there"), "extra": "acme"}
    probe = Engine(backend("acme", manifest=manifest)).probe(REQUEST)
    assert probe == Probe(
        ok=False,
        reason="not installed: acme_runtime_not_there",
        fix='pip install "acme[acme]"',
        optional=True,
    )
    assert Engine(backend("acme", manifest={"needs": "json"})).probe(REQUEST).ok


def test_a_failing_probe_is_an_answer() -> None:
    """A probe that raises, or gives something else, is a no with the reason."""

    def fail() -> Probe:
        raise OSError("libcuda.so.1")

    assert engine(hotbed_probe=fail).probe(REQUEST) == Probe(
        ok=False, reason="probe failed: OSError: libcuda.so.1"
    )
    wrong = engine(hotbed_probe=lambda: True).probe(REQUEST)
    assert wrong == Probe(ok=False, reason="probe gave bool, not Probe")
