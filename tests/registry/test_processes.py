"""Many processes at once: dense versions, no error, tables made once, and no lock underneath."""

from __future__ import annotations

import multiprocessing
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from hotbed.registry import Registry
from hotbed.registry.blobs import LocalBlobs
from hotbed.registry.versions import Version

WRITERS, TIMES = 16, 50
SPAWN = multiprocessing.get_context("spawn")


def register_many(
    place: str, model: str, times: int, start: str, blobs: str | None = None
) -> list[str]:
    """Register some versions, beginning when a file appears; gives their numbers."""
    while not Path(start).exists():
        pass
    registry = Registry(place, blobs=blobs, who=str(os.getpid()))
    return [registry.register("support", model, bump="patch").version for _ in range(times)]


def store_without_locks(root: str, folder: str) -> list[str]:
    """Store every file of a folder while advisory locks do nothing."""
    if sys.platform != "win32":
        import fcntl

        fcntl.flock = fcntl.lockf = lambda *_: None
    blobs = LocalBlobs(Path(root))
    return [blobs.put_file(path)[0] for path in sorted(Path(folder).iterdir()) if path.is_file()]


def run(function: object, arguments: Sequence[tuple[object, ...]]) -> list[list[str]]:
    """Run a function in many processes at once."""
    with SPAWN.Pool(len(arguments)) as pool:
        return pool.starmap(function, arguments)  # type: ignore[arg-type]


def test_versions_are_dense_and_unique(tmp_path: Path, model: Path) -> None:
    """Sixteen processes make the registry and register at once: every number once, no error."""
    place, start = tmp_path / "registry", tmp_path / "start"
    arguments = [(str(place), str(model), TIMES, str(start))] * WRITERS
    start.touch()
    found = [version for some in run(register_many, arguments) for version in some]
    wanted = [f"0.0.{number}" for number in range(1, WRITERS * TIMES + 1)]
    assert sorted(found, key=lambda text: Version.parse(text).key) == wanted
    registry = Registry(place)
    assert registry.audit().events == WRITERS * TIMES
    assert [one.version for one in registry.search(limit=1000)] == wanted


def test_blobs_need_no_lock(tmp_path: Path) -> None:
    """Sixteen writers of the same blobs, with advisory locks gone: each blob is whole."""
    source = tmp_path / "source"
    source.mkdir()
    for number in range(8):
        (source / str(number)).write_bytes(bytes([number]) * (number * 100_000))
    found = run(store_without_locks, [(str(tmp_path / "blobs"), str(source))] * WRITERS)
    assert all(some == found[0] for some in found)
    blobs = LocalBlobs(tmp_path / "blobs")
    assert {blob.digest for blob in blobs} == set(found[0])
    for digest in found[0]:
        blobs.get(digest)
    assert not list((tmp_path / "blobs" / "stages").iterdir())
