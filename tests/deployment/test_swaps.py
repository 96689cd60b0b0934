"""Sixteen threads that embed without a pause, through two hundred swaps."""

from __future__ import annotations

import gc
import threading
import weakref
from typing import Any

import numpy as np
import pytest

import hotbed
from hotbed.deployment import Deployment, ModelPool
from hotbed.registry import Registry
from hotbed.testing import TEXTS
from tests.deployment.conftest import Release
from tests.registry.damage import DAMAGES, damaged

THREADS = 16
SWAPS, FEWER = 200, 40
EVERY = 5
"""Each fifth candidate is damaged."""


def test_no_call_fails_and_no_result_is_mixed(
    request: pytest.FixtureRequest,
    registry: Registry,
    release: Release,
    pool: ModelPool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each result is, to the bit, that of one of the two versions; old sessions are freed."""
    swaps = SWAPS if request.config.getoption("hotbed_heavy") else FEWER
    good = [release(1), release(2)]
    bad = [release(10 + number) for number in range(swaps // EVERY)]
    for number, version in enumerate(bad):
        damaged(registry, "model.safetensors", DAMAGES[number % len(DAMAGES)], version=version)
    expected = []
    for version in good:
        with hotbed.load(f"registry:{version}", registry=registry) as embedder:
            expected.append(embedder.encode(TEXTS))
    assert not np.array_equal(*expected)
    sessions = _watched(monkeypatch)
    registry.promote(good[0], "production")
    errors: list[BaseException] = []
    calls, of_each, stop = [0] * THREADS, [0, 0], threading.Event()

    def serve(number: int, model: Deployment) -> None:
        try:
            while not stop.is_set():
                found = model.encode(TEXTS)
                same = [np.array_equal(found, one) for one in expected]
                assert any(same), "a result of neither version"
                of_each[same.index(True)] += 1
                calls[number] += 1
        except BaseException as error:
            errors.append(error)
            raise

    with Deployment("support@production", registry=registry, pool=pool, poll=None) as model:
        threads = [threading.Thread(target=serve, args=(n, model)) for n in range(THREADS)]
        for thread in threads:
            thread.start()
        for number in range(swaps):
            broken = number % EVERY == EVERY - 1
            target = bad[number // EVERY] if broken else good[(number + 1) % 2]
            registry.promote(target, "production")
            status = model.refresh()
            assert (status.model == target) is not broken
        stop.set()
        for thread in threads:
            thread.join()
        status = model.status()
        assert not errors
        assert min(calls) > 0
        assert min(of_each) > 0
        assert len(status.refused) == len(bad)
        assert status.calls == sum(calls)
        gc.collect()
        living = sum(session() is not None for session in sessions)
        assert len(sessions) > swaps // 2
        assert living <= 2, "the one that serves; onnx_cpu may open a second for side-by-side runs"
    assert pool.loaded() == 0


def _watched(monkeypatch: pytest.MonkeyPatch) -> list[weakref.ref[Any]]:
    """Weak references to every session that onnxruntime opens from now on."""
    onnxruntime = pytest.importorskip("onnxruntime")
    made: list[weakref.ref[Any]] = []

    class Watched(onnxruntime.InferenceSession):  # type: ignore[misc, name-defined]
        def __init__(self, *args: Any, **options: Any) -> None:
            super().__init__(*args, **options)
            made.append(weakref.ref(self))

    monkeypatch.setattr(onnxruntime, "InferenceSession", Watched)
    return made
