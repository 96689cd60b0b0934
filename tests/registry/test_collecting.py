"""Garbage: what nothing reaches goes, what something reaches stays, whoever writes meanwhile."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from hotbed.errors import RegistryError
from hotbed.models.digests import DigestCache
from hotbed.registry import Registry
from hotbed.registry.checkout import checkout
from hotbed.testing import build_tiny


def reachable(registry: Registry) -> int:
    """Bytes of all files of all versions, each once."""
    sizes: dict[str, int] = {}
    for one in registry.search():
        sizes |= {entry.sha256: entry.size for entry in registry.manifest(str(one)).files}
    return sum(sizes.values())


def test_what_is_deleted_goes_and_the_rest_stays(
    registry: Registry, model: Path, tmp_path: Path
) -> None:
    """Afterwards the store holds what is reached."""
    other = build_tiny(tmp_path / "other", config={"hidden_size": 64})
    registry.register("support", model)
    registry.register("support", other)
    registry.delete("support@0.0.2")
    assert registry.gc().blobs == 0  # all was wanted a moment ago
    counted = registry.gc(dry=True, older_than=0)
    assert counted == registry.gc(dry=True, older_than=0)
    done = registry.gc(older_than=0)
    assert (done.blobs, done.nbytes) == (counted.blobs, counted.nbytes)
    assert done.blobs > 0
    kept = {blob.digest: blob.size for blob in registry.store.blobs}
    assert sum(kept.values()) == reachable(registry)
    assert registry.gc(older_than=0).blobs == 0
    checkout(
        registry.store, registry.resolve("support"), tmp_path / "c", DigestCache(tmp_path / "d")
    )


@pytest.mark.parametrize("older_than", [3600.0, 0.0])
def test_a_collection_robs_no_writer(registry: Registry, tmp_path: Path, older_than: float) -> None:
    """While versions are registered, collections run without pause, and every version is whole.

    Without any grace a writer may find its blobs gone three times, and says so; it never commits a
    version that lacks one.
    """
    models = [build_tiny(tmp_path / str(n), config={"hidden_size": 32 + 8 * n}) for n in range(4)]
    done = threading.Event()
    errors: list[BaseException] = []

    def collect() -> None:
        mine = Registry(registry.store.place, who="broom")
        while not done.is_set():
            try:
                mine.gc(older_than=older_than)
            except BaseException as error:
                errors.append(error)
                return

    robbed: list[str] = []
    broom = threading.Thread(target=collect)
    broom.start()
    try:
        for number in range(12):
            try:
                made = registry.register("support", models[number % 4])
            except RegistryError as error:
                robbed.append(str(error))
                continue
            if number % 3 == 2:
                registry.delete(str(made))
    finally:
        done.set()
        broom.join()
    assert not errors
    assert all("garbage was collected three times" in said for said in robbed)
    assert not robbed or older_than == 0
    for one in registry.search():
        checkout(registry.store, one, tmp_path / "c", DigestCache(tmp_path / "d"), paranoid=True)


@pytest.mark.skipif(os.name == "nt", reason="Windows keeps other times")
def test_unfinished_files_go_when_they_are_old(registry: Registry, model: Path) -> None:
    """A writer that was killed leaves a stage; one that still writes is left alone."""
    registry.register("support", model)
    stages = Path(registry.store.place, "blobs", "stages")
    young, old = stages / "1-young", stages / "1-old"
    for path in (young, old):
        path.write_bytes(b"half")
    os.utime(old, (0, 0))
    registry.gc()
    assert (young.exists(), old.exists()) == (True, False)
