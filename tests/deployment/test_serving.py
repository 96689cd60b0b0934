"""A deployment serves what its reference means, moves with it, and stays where a move fails."""

from __future__ import annotations

import asyncio
import inspect
import pickle
import threading
import time
from pathlib import Path

import numpy as np
import pytest

import hotbed
from hotbed.deployment import Change, Deployment, Health, ModelPool
from hotbed.errors import (
    ClosedError,
    CorruptFileError,
    HealthError,
    HotbedError,
    NotRegisteredError,
    UsageError,
)
from hotbed.inference.embedder import Embedder
from hotbed.registry import Registry
from hotbed.testing import TEXTS, build_tiny
from tests.deployment.conftest import Release
from tests.registry.damage import DAMAGES, damaged, flip

MODEL = "model.safetensors"


def vectors(registry: Registry, version: str) -> np.ndarray:
    """What a version gives, loaded in the ordinary way."""
    with hotbed.load(f"registry:{version}", registry=registry) as model:
        return np.asarray(model.encode(TEXTS))


def deploy(registry: Registry, pool: ModelPool, **options: object) -> Deployment:
    """A deployment of ``production`` that moves when it is told."""
    return Deployment("support@production", registry=registry, pool=pool, poll=None, **options)  # type: ignore[arg-type]


def until(condition: object, seconds: float = 20.0) -> None:
    """Wait until something holds."""
    end = time.monotonic() + seconds
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.01)


def test_nothing_is_loaded_before_the_first_call(
    registry: Registry, release: Release, pool: ModelPool
) -> None:
    """Then the vectors are those of the version that the alias points to."""
    first = release(1)
    registry.promote(first, "production")
    with deploy(registry, pool) as model:
        assert pool.loaded() == 0
        assert model.status().model == ""
        assert np.array_equal(model.encode(TEXTS), vectors(registry, first))
        status = model.status()
        assert (status.model, status.fallback, status.calls, status.backend) == (
            first,
            False,
            1,
            "onnx_cpu",
        )
        assert status.manifest == registry.resolve(first).manifest
        assert status.cosine is not None
        assert status.cosine > 0.99999
        assert 0 < status.nbytes == pool.nbytes
    assert pool.loaded() == 0


def test_it_moves_with_the_alias_and_back(
    registry: Registry, release: Release, pool: ModelPool
) -> None:
    """Promotion and rollback: the old model is closed each time."""
    first, second = release(1), release(2)
    registry.promote(first, "production")
    with deploy(registry, pool) as model:
        model.encode("bread")
        registry.promote(second, "production")
        assert model.refresh().model == second
        assert np.array_equal(model.encode(TEXTS), vectors(registry, second))
        registry.rollback("support", "production")
        assert model.refresh().model == first
        assert model.status().swaps == 2
        assert pool.loaded() == 1
        kinds = [(change.kind, change.model, change.before) for change in model.status().changes]
        assert kinds == [
            ("serving", first, ""),
            ("serving", second, first),
            ("serving", first, second),
        ]


def test_a_thread_follows(registry: Registry, release: Release, pool: ModelPool) -> None:
    """Without anybody asking; ``latest`` moves with each registration."""
    first = release(1)
    with Deployment("support", registry=registry, pool=pool, poll=0.05) as model:
        model.encode("bread")
        assert model.status().model == first
        second = release(2)
        until(lambda: model.status().model == second)


def test_the_thread_ends_with_the_deployment(
    registry: Registry, release: Release, pool: ModelPool
) -> None:
    """Closed or forgotten."""
    release(1)

    def followers() -> int:
        return sum(thread.name == "hotbed-follow" for thread in threading.enumerate())

    before = followers()
    closed = Deployment("support", registry=registry, pool=pool, poll=0.05)
    closed.encode("bread")
    forgotten = Deployment("support", registry=registry, pool=pool, poll=0.05)
    forgotten.encode("bread")
    assert followers() == before + 2
    assert pool.loaded() == 1, "both share one model"
    closed.close()
    assert pool.loaded() == 1
    del forgotten
    until(lambda: followers() == before)
    assert pool.loaded() == 0


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_candidate_leaves_the_old_one_serving(
    registry: Registry, release: Release, pool: ModelPool, damage: object
) -> None:
    """It is reported once, with model, version, file and both digests; what serves goes on."""
    first, second = release(1), release(2)
    registry.promote(first, "production")
    told: list[Change] = []
    with deploy(registry, pool, on_change=told.append, retry=0.0) as model:
        old = model.encode(TEXTS)
        expected = damaged(registry, MODEL, damage, version=second)  # type: ignore[arg-type]
        registry.promote(second, "production")
        for _ in range(3):
            assert model.refresh().model == first
            assert np.array_equal(model.encode(TEXTS), old)
        refused = [change for change in told if change.kind == "refused"]
        assert len(refused) == 1
        for part in (second, MODEL, expected, "expected sha256", "found"):
            assert part in refused[0].reason
        assert refused[0].before == first
        assert [(one.model, one.times) for one in model.status().refused] == [(second, 3)]
        # An update behind the broken one is seen all the same.
        third = release(3)
        registry.promote(third, "production")
        assert model.refresh().model == third


def test_a_refused_candidate_is_not_tried_without_pause(
    registry: Registry, release: Release, pool: ModelPool
) -> None:
    """Before ``retry`` is over the remembered error stands; mended and later it serves."""
    first = release(1)
    damaged(registry, MODEL, flip)
    with Deployment("support", registry=registry, pool=pool, poll=None, retry=0.2) as model:
        for _ in range(3):
            with pytest.raises(CorruptFileError, match=first):
                model.encode("bread")
        assert model.status().refused[0].times == 1
        copy = [Path(registry.store.place).parent / "model1"]
        assert registry.doctor(copy, mend=True).repaired
        time.sleep(0.25)
        assert model.encode("bread").shape == (32,)
        assert model.status().refused == ()


def test_a_candidate_that_is_not_healthy(
    registry: Registry, release: Release, pool: ModelPool, tmp_path: Path
) -> None:
    """Numbers that are not finite, and vectors that are not those stored with it."""
    first = release(1)
    registry.promote(first, "production")
    with deploy(registry, pool) as model:
        model.encode("bread")
        nan = registry.register("support", _poisoned(tmp_path))
        registry.promote(str(nan), "production")
        assert model.refresh().model == first
        assert "not finite" in model.status().refused[-1].reason
        wrong = _with_vectors_of_another(registry, tmp_path)
        registry.promote(wrong, "production")
        assert model.refresh().model == first
        assert "not those stored with it: lowest cosine" in model.status().refused[-1].reason


def _poisoned(tmp_path: Path) -> Path:
    """A graph of which one number is not finite; conversion would have refused it."""
    import onnx
    from onnx import numpy_helper

    folder = tmp_path / "poisoned"
    hotbed.convert(build_tiny(tmp_path / "sound", seed=5), folder, profile="cpu")
    (folder / "hotbed.json").unlink()  # the digest that it holds is another's by then
    path = next(folder.glob("onnx/*.onnx"))
    graph = onnx.load(path)
    for tensor in graph.graph.initializer:
        values = numpy_helper.to_array(tensor)
        if values.dtype == np.float32 and values.ndim == 1:
            spoilt = np.where(np.arange(len(values)), values, np.float32("nan"))
            tensor.CopyFrom(numpy_helper.from_array(spoilt, tensor.name))
            break
    path.write_bytes(graph.SerializeToString())
    return folder


def _with_vectors_of_another(registry: Registry, tmp_path: Path) -> str:
    from hotbed.registry.reference import REFERENCE_FILE, compute_reference

    one = build_tiny(tmp_path / "one", seed=7, max_seq_length=32)
    other = build_tiny(tmp_path / "other", seed=8, max_seq_length=32)
    (one / REFERENCE_FILE).write_bytes(compute_reference(other).encode())
    return str(registry.register("support", one))


def test_too_slow(registry: Registry, release: Release, pool: ModelPool) -> None:
    """The message has both times."""
    release(1)
    health = Health(max_seconds=1e-9)
    with (
        Deployment("support", registry=registry, pool=pool, poll=None, health=health) as model,
        pytest.raises(HealthError, match=r"a text takes .* and at most 1e-09 s is allowed"),
    ):
        model.encode("bread")


def test_fallback_to_the_previous_version(
    registry: Registry, release: Release, pool: ModelPool
) -> None:
    """The next call is served by it, it is recorded, and the version asked for comes back."""
    first, second = release(1), release(2)
    registry.promote(first, "production")
    registry.promote(second, "production")
    damaged(registry, MODEL, flip, version=second)
    with deploy(registry, pool, fallback=["previous"], retry=0.0) as model:
        assert np.array_equal(model.encode(TEXTS), vectors(registry, first))
        status = model.status()
        assert (status.model, status.fallback, status.fallback_calls) == (first, True, 1)
        assert [change.kind for change in status.changes] == ["refused", "fallback"]
        assert second in status.changes[1].reason
        registry.doctor([Path(registry.store.place).parent / "model2"], mend=True)
        status = model.refresh()
        assert (status.model, status.fallback) == (second, False)


def test_fallback_to_a_base_model(
    registry: Registry, release: Release, pool: ModelPool, tmp_path: Path
) -> None:
    """In the order of the chain; of another dimension it is refused: the index would not fit."""
    release(1)
    damaged(registry, MODEL, flip)
    wide = build_tiny(tmp_path / "wide", config={"hidden_size": 64})
    base = build_tiny(tmp_path / "base", seed=9)
    chain = ["previous", str(wide), str(base)]
    with Deployment("support", registry=registry, pool=pool, poll=None, fallback=chain) as model:
        with hotbed.load(base) as expected:
            assert np.array_equal(model.encode("bread"), expected.encode("bread"))
        status = model.status()
        assert (status.model, status.manifest, status.fallback) == (str(base), "", True)
        reasons = {one.model: one.reason for one in status.refused}
        assert "no stable version of support is below" in reasons["previous"]
        assert "64 numbers, and 32 are expected" in reasons[str(wide)]


def test_without_a_fallback_there_is_none(
    registry: Registry, release: Release, pool: ModelPool
) -> None:
    """A version below that would do is not taken unasked."""
    release(1)
    second = release(2)
    damaged(registry, MODEL, flip, version=second)
    with Deployment("support", registry=registry, pool=pool, poll=None) as model:
        with pytest.raises(CorruptFileError, match=second):
            model.encode("bread")
        with pytest.raises(CorruptFileError):
            model.refresh()


def test_an_alias_that_is_gone_leaves_what_serves(
    registry: Registry, release: Release, pool: ModelPool
) -> None:
    """It is said once; before the first call it is an error."""
    first = release(1)
    with deploy(registry, pool) as model:
        with pytest.raises(NotRegisteredError, match="production"):
            model.encode("bread")
        registry.promote(first, "production")
        model.encode("bread")
        registry.unset("support", "production")
        assert [model.refresh().model for _ in range(3)] == [first] * 3
        assert [change.kind for change in model.status().changes] == ["serving", "lost"]


def test_what_was_unloaded_and_is_damaged_now(
    registry: Registry, release: Release, caplog: pytest.LogCaptureFixture
) -> None:
    """It is said once, however often it is tried; mended it serves again, without being asked."""
    release(1)
    pool = ModelPool(memory=1)  # nothing stays loaded
    model = Deployment("support", registry=registry, pool=pool, poll=0.05, retry=0.1)
    before = model.encode("bread")
    damaged(registry, MODEL, flip)
    with pytest.raises(CorruptFileError, match=MODEL):
        model.encode("bread")
    until(lambda: model.status().refused[0].times > 2)
    assert [change.kind for change in model.status().changes] == ["serving", "refused"]
    assert "cannot follow" not in caplog.text
    registry.doctor([Path(registry.store.place).parent / "model1"], mend=True)
    until(lambda: model.status().model != "")
    assert np.array_equal(model.encode("bread"), before)
    model.close()


def test_silent_damage_with_paranoid(registry: Registry, release: Release, pool: ModelPool) -> None:
    """A byte that changed without a trace in the times is seen by reading, and only so."""
    first, second = release(1), release(2)
    for version in (first, second):  # digests are remembered from here on
        vectors(registry, version)
    registry.promote(first, "production")
    with deploy(registry, pool, paranoid=True) as model:
        model.encode("bread")
        damaged(registry, MODEL, flip, keep=True, version=second)
        registry.promote(second, "production")
        assert model.refresh().model == first
        assert "is damaged" in model.status().refused[0].reason


def test_a_stream_keeps_its_model(registry: Registry, release: Release, pool: ModelPool) -> None:
    """Rows of one stream are of one version, though the alias moves in between."""
    first, second = release(1), release(2)
    registry.promote(first, "production")
    with deploy(registry, pool) as model:
        rows = model.encode(iter(TEXTS))
        head = next(rows)
        registry.promote(second, "production")
        assert model.refresh().model == second
        assert pool.loaded() == 1
        streamed = np.stack([head, *rows])
        with hotbed.load(f"registry:{first}", registry=registry) as embedder:
            assert np.array_equal(streamed, np.stack(list(embedder.encode(iter(TEXTS)))))
        unread = model.encode(iter(TEXTS))
        del unread  # lets go of its model, as the fixture of the pool sees


def test_it_has_the_methods_of_an_embedder() -> None:
    """Each public name, with the same signature and documentation."""
    settable = {"decision", "truncate_dim", "last_truncated"}
    for name, member in vars(Embedder).items():
        if name.startswith("_") or name in settable:
            continue
        mine = getattr(Deployment, name)
        if isinstance(member, property):
            assert mine.__doc__ == member.__doc__
        elif name != "close":
            assert inspect.signature(mine) == inspect.signature(member), name
            assert mine.__doc__ == member.__doc__


def test_the_other_methods(registry: Registry, release: Release, pool: ModelPool) -> None:
    """They answer as an embedder of the version does."""
    first = release(1)
    with (
        Deployment("support", registry=registry, pool=pool, poll=None) as model,
        hotbed.load(f"registry:{first}", registry=registry) as other,
    ):
        assert model.get_sentence_embedding_dimension() == 32
        assert model.max_seq_length == other.max_seq_length
        assert model.prompts == other.prompts
        assert model.device == "cpu"
        assert model.folder.family == "bert"
        assert model.count_tokens(["a b"]).tolist() == other.count_tokens(["a b"]).tolist()
        assert model.embed_query("bread") == other.embed_query("bread")
        assert asyncio.run(model.aembed_documents(["a", "b"])) == other.embed_documents(["a", "b"])
        assert asyncio.run(model.aembed_query("bread")) == other.embed_query("bread")
        assert "onnx_cpu" in model.why()
        a, b = model.encode(["a", "b"]), model.encode(["c", "d"])
        assert np.array_equal(model.similarity(a, b), other.similarity(a, b))
        with model.use() as pinned:
            assert np.array_equal(pinned.encode("bread"), model.encode("bread"))


def test_it_travels(registry: Registry, release: Release, pool: ModelPool) -> None:
    """Pickled it is opened again where it arrives."""
    release(1)
    with Deployment("support", registry=registry, pool=pool, poll=None, truncate_dim=8) as model:
        again = pickle.loads(pickle.dumps(model))
        assert np.array_equal(again.encode("bread"), model.encode("bread"))
        assert model.get_embedding_dimension() == 8
        again.close()


def test_after_close(registry: Registry, release: Release, pool: ModelPool) -> None:
    """Closing twice is fine, using it is an error."""
    release(1)
    model = Deployment("support", registry=registry, pool=pool)
    model.encode("bread")
    model.close()
    model.close()
    for use in (lambda: model.encode("bread"), model.refresh):
        with pytest.raises(ClosedError, match="support"):
            use()
    assert repr(model) == "<Deployment support: closed>"


def test_what_cannot_be_asked(registry: Registry) -> None:
    """Said at once, and not at the first call."""
    for options in ({"threads": 2}, {"fallback": "previous"}, {"poll": 0}):
        with pytest.raises(UsageError):
            Deployment("support", registry=registry, **options)
    with pytest.raises(UsageError):
        Deployment("../support", registry=registry)
    with pytest.raises(HotbedError, match="no registry"):
        Deployment("support", registry=Path("nowhere"))


def test_an_observer_that_fails_does_no_harm(
    registry: Registry, release: Release, pool: ModelPool, caplog: pytest.LogCaptureFixture
) -> None:
    """Its error is in the log."""
    release(1)

    def fail(_: Change) -> None:
        raise RuntimeError("metrics are down")

    with Deployment("support", registry=registry, pool=pool, poll=None, on_change=fail) as model:
        assert model.encode("bread").shape == (32,)
    assert "metrics are down" in caplog.text
