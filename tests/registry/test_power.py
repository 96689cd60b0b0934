"""A power cut at any moment: a blob is whole or not there, and no committed version lacks one."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from sqlalchemy import Connection, Engine, event

from hotbed.registry import Registry
from hotbed.testing import build_tiny
from tests.registry.power import Call, crashes, recorded

pytestmark = pytest.mark.skipif(
    not Path("/proc/self/fd").exists(), reason="which file is flushed is read in /proc"
)


@pytest.fixture
def calls(tmp_path: Path) -> list[Call]:
    """What registering twice, deleting and collecting does to the files, and what commits need."""
    place = tmp_path / "registry"
    place.mkdir()
    models = [build_tiny(tmp_path / str(n), config={"hidden_size": 32 + 32 * n}) for n in (0, 1)]
    with Registry(place) as registry, recorded(place) as calls:
        calls += [Call("folder", "blobs"), Call("folder", "blobs/stages")]  # there already
        calls += [Call("flush", "."), Call("flush", "blobs")]

        def commit(connection: Connection) -> None:
            needed = connection.exec_driver_sql("SELECT DISTINCT sha256 FROM files").scalars()
            calls.append(Call("commit", content="\n".join(needed).encode()))

        event.listen(Engine, "commit", commit)
        try:
            for model in models:
                registry.register("support", model)
            registry.delete("support@0.0.1")
            assert registry.gc(older_than=0).blobs > 0
        finally:
            event.remove(Engine, "commit", commit)
    return list(calls)


def problems(calls: list[Call]) -> set[str]:
    """What a power cut would break."""
    needed: list[str] = []
    found, last = set(), 0
    for number, state in crashes(calls):
        if number != last and calls[number - 1].kind == "commit":
            needed = calls[number - 1].content.decode().split()
        last = number
        blobs = {Path(path).name: content for path, content in state.items() if "sha256/" in path}
        for name, content in blobs.items():
            if hashlib.sha256(content).hexdigest() != name:
                found.add(f"broken after call {number}")
        if not set(needed) <= set(blobs):
            found.add(f"lost after call {number}")
    return found


def test_nothing_is_lost(calls: list[Call]) -> None:
    """Whatever was not flushed may be gone, be there, or be half there."""
    assert [call.kind for call in calls].count("commit") == 4
    assert problems(calls) == set()


def test_the_model_sees_what_is_not_flushed(calls: list[Call]) -> None:
    """Without the flushes of files, or of folders, it finds what would be broken and lost."""
    files = [call for call in calls if call.kind != "flush" or not call.content]
    assert any(said.startswith("broken") for said in problems(files))
    folders = [call for call in calls if call.kind != "flush" or call.content]
    assert any(said.startswith("lost") for said in problems(folders))


def test_each_flush_of_a_blob_is_needed(calls: list[Call]) -> None:
    """Leaving out any one flush of a file is seen."""
    flushes = [n for n, call in enumerate(calls) if call.kind == "flush" and call.content]
    assert len(flushes) > 8
    for number in flushes[:4]:
        assert problems([call for n, call in enumerate(calls) if n != number])
