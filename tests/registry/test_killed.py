"""Killed at any call that touches files or the database: before or after, never between.

The child is a fork that kills itself with SIGKILL at the n-th such call, for every n there is:
opening, renaming, linking, removing, changing modes, flushing, and each statement of the database.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, event

from hotbed.registry import Registry
from hotbed.testing import build_tiny

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")

CALLS = ("open", "os.rename", "os.remove", "os.mkdir", "os.chmod", "os.link", "os.rmdir")
Work = Callable[[Registry, Path], object]


def state(registry: Registry) -> tuple[object, ...]:
    """What people can see of a registry."""
    listed = registry.search(limit=1000)
    moves = [(m.kind, m.alias, m.version) for m in registry.history("support")]
    return [(str(one), one.aliases, one.deprecated) for one in listed], moves


def killed_at(number: int, place: Path, model: Path, work: Work) -> bool:
    """Do the work in a fork that kills itself at a call; whether it came so far."""
    child = os.fork()
    if child:
        _, status = os.waitpid(child, 0)
        assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0, status
        return os.WIFSIGNALED(status)
    left = number  # only in the child

    def count() -> None:
        nonlocal left
        left -= 1
        if not left:
            os.kill(os.getpid(), signal.SIGKILL)

    def hook(name: str, _: tuple[object, ...]) -> None:
        if name in CALLS:
            count()

    flush = os.fsync

    def fsync(file: Any) -> None:
        count()
        flush(file)

    code = 1
    try:
        registry = Registry(place, who="ada")
        sys.addaudithook(hook)
        vars(os)["fsync"] = fsync  # an audit hook does not see it
        for name in ("before_cursor_execute", "commit", "rollback"):
            event.listen(Engine, name, lambda *_: count())
        work(registry, model)
        code = 0
    finally:
        os._exit(code)


def prepare(place: Path, model: Path) -> None:
    """Three versions, of which one is deleted, and an alias that was moved."""
    registry = Registry(place, who="ada")
    for _ in range(4):
        registry.register("support", model)
    registry.promote("support@0.0.1", "production")
    registry.promote("support@0.0.2", "production")
    other = build_tiny(place.parent / "other", config={"hidden_size": 64})
    registry.register("support", other)
    registry.delete("support@0.0.5")
    registry.close()


WORKS: dict[str, Work] = {
    "register": lambda registry, model: registry.register("support", model, tags={"a": "b"}),
    "promote": lambda registry, _: registry.promote("support@0.0.3", "production"),
    "rollback": lambda registry, _: registry.rollback("support", "production"),
    "delete": lambda registry, _: registry.delete("support@0.0.4"),
    "gc": lambda registry, _: registry.gc(older_than=0),
}


@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")
@pytest.mark.parametrize("name", WORKS)
def test_killed_anywhere(request: pytest.FixtureRequest, tmp_path: Path, name: str) -> None:
    """The doctor finds no fault, the state is before or after, and the work can be done again."""
    if not request.config.getoption("hotbed_heavy"):
        pytest.skip("the heavy set: --hotbed-heavy")
    work, model = WORKS[name], build_tiny(tmp_path / "new", config={"hidden_size": 48})
    source = tmp_path / "source"
    prepare(source, build_tiny(tmp_path / "model"))
    with Registry(source) as registry:
        before = state(registry)
    whole = tmp_path / "whole"
    shutil.copytree(source, whole)
    with Registry(whole, who="ada") as registry:
        work(registry, model)
        after = state(registry)
    seen, number = set(), 0
    while True:
        number += 1
        place = tmp_path / "tried"
        shutil.rmtree(place, ignore_errors=True)
        shutil.copytree(source, place)
        killed = killed_at(number, place, model, work)
        with Registry(place, who="ada") as registry:
            found = state(registry)
            assert found in (before, after), number
            assert registry.doctor().faults == (), number
            seen.add(found == after)
            if killed and found == before:
                work(registry, model)
                assert state(registry) == after, number
        if not killed:
            break
    assert number > 5
    assert True in seen
