"""Models of one process within one budget: what was called longest ago is closed first."""

from __future__ import annotations

import os
import random
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from hotbed.backends.memory import memory_quota
from hotbed.deployment import Deployment, ModelPool, default_pool
from hotbed.errors import SettingsError
from hotbed.registry import Registry
from tests.deployment.conftest import Release


def deploy(registry: Registry, version: str, pool: ModelPool, **options: object) -> Deployment:
    """A deployment of one version."""
    return Deployment(version, registry=registry, pool=pool, poll=None, **options)  # type: ignore[arg-type]


def size(registry: Registry, version: str) -> int:
    """Bytes of a loaded version."""
    pool = ModelPool()
    with deploy(registry, version, pool) as model:
        model.encode("bread")
        assert pool.nbytes > 0
        return pool.nbytes


def test_the_longest_unused_is_closed_first(registry: Registry, release: Release) -> None:
    """It is loaded again by its next call, with the same vectors."""
    versions = [release(seed) for seed in (1, 2, 3)]
    pool = ModelPool(memory=2 * size(registry, versions[0]))
    one, two, three = (deploy(registry, version, pool) for version in versions)
    first = one.encode("bread")
    two.encode("bread")
    one.encode("bread")
    three.encode("bread")
    assert pool.loaded() == 2
    assert [model.status().nbytes > 0 for model in (one, two, three)] == [True, False, True]
    two.encode("bread")
    assert [model.status().nbytes > 0 for model in (one, two, three)] == [False, True, True]
    assert np.array_equal(one.encode("bread"), first)
    for model in (one, two, three):
        model.close()
    assert (pool.loaded(), pool.nbytes) == (0, 0)


def test_what_is_called_stays(registry: Registry, release: Release) -> None:
    """Even where the budget is too small for it; afterwards the budget holds."""
    versions = [release(seed) for seed in (1, 2)]
    pool = ModelPool(memory=1)
    one, two = (deploy(registry, version, pool) for version in versions)
    with one.use() as a, two.use() as b:
        assert pool.loaded() == 2
        assert not np.array_equal(a.encode("bread"), b.encode("bread"))
    assert pool.loaded() == 0
    assert one.encode("bread").shape == (32,)


def test_what_is_loaded_alike_is_shared(registry: Registry, release: Release) -> None:
    """Two aliases of one version share a model; other options are another model."""
    version = release(1)
    pool = ModelPool()
    one, two = deploy(registry, version, pool), deploy(registry, version, pool)
    other = deploy(registry, version, pool, truncate_dim=8)
    assert [model.encode("bread").shape for model in (one, two, other)] == [(32,), (32,), (8,)]
    assert pool.loaded() == 2
    one.close()
    assert two.encode("bread").shape == (32,)
    assert pool.loaded() == 2
    two.close()
    other.close()
    assert pool.loaded() == 0


def test_many_threads_and_too_small_a_budget(registry: Registry, release: Release) -> None:
    """Models come and go under the calls: every answer is right, and the budget holds after."""
    versions = [release(seed) for seed in range(1, 5)]
    pool = ModelPool(memory=int(1.5 * size(registry, versions[0])))
    models = [deploy(registry, version, pool) for version in versions]
    expected = [model.encode("bread") for model in models]
    errors: list[BaseException] = []

    def call(seed: int) -> None:
        chance = random.Random(seed)
        try:
            for _ in range(15):
                which = chance.randrange(len(models))
                assert np.array_equal(models[which].encode("bread"), expected[which])
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=call, args=(seed,)) for seed in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    assert pool.nbytes <= pool.memory
    for model in models:
        model.close()
    assert pool.loaded() == 0


def test_one_budget_of_threads(registry: Registry, release: Release) -> None:
    """Every model is opened with the pool's number."""
    version = release(1)
    pool = ModelPool(threads=1)
    with deploy(registry, version, pool) as model, model.use() as embedder:
        assert dict(embedder.loaded.facts)["threads"] == "1"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")
def test_a_fork(registry: Registry, release: Release) -> None:
    """The child opens models of its own; the parent's stay as they are."""
    release(1)
    pool = ModelPool(threads=1)
    with Deployment("support", registry=registry, pool=pool, poll=None) as model:
        expected = model.encode("bread")
        child = os.fork()
        if not child:
            code = 1
            try:
                code = 0 if np.array_equal(model.encode("bread"), expected) else 2
                model.close()
            finally:
                os._exit(code)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert np.array_equal(model.encode("bread"), expected)


def test_the_budget_of_the_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """As people write sizes; without one half of what the process may use."""
    monkeypatch.setenv("HOTBED_MEMORY", "1.5GiB")
    assert ModelPool().memory == 3 << 29
    monkeypatch.setenv("HOTBED_MEMORY", "much")
    with pytest.raises(SettingsError, match="memory"):
        ModelPool()
    monkeypatch.delenv("HOTBED_MEMORY")
    if sys.platform == "linux":
        assert ModelPool().memory == (memory_quota() or 0) // 2
    assert default_pool() is default_pool()


def test_the_quota_of_a_container(tmp_path: Path) -> None:
    """The least of the group and those above it, for both versions of control groups."""
    process = tmp_path / "proc"
    process.mkdir()
    (process / "cgroup").write_text("0::/kubepods/pod\n", encoding="utf-8")
    pod = tmp_path / "cgroup" / "kubepods" / "pod"
    pod.mkdir(parents=True)
    (pod / "memory.max").write_text("max\n", encoding="utf-8")
    (pod.parent / "memory.max").write_text("1000000\n", encoding="utf-8")
    assert memory_quota(tmp_path / "cgroup", process) == 1_000_000
    (process / "cgroup").write_text("5:memory:/docker\n", encoding="utf-8")
    old = tmp_path / "cgroup" / "memory" / "docker"
    old.mkdir(parents=True)
    (old / "memory.limit_in_bytes").write_text("2000000\n", encoding="utf-8")
    assert memory_quota(tmp_path / "cgroup", process) == 2_000_000
