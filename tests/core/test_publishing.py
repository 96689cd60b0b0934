"""A folder appears whole or not at all, with many processes and when killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from hotbed.publishing import STAGE_PREFIX, is_abandoned, publish_file, staging
from tests.isolation import child_environment


def test_a_folder_appears_at_the_end(tmp_path: Path) -> None:
    """Nothing is at the target while the block runs, and everything is after it."""
    target = tmp_path / "a" / "target"
    with staging(target) as stage:
        (stage / "deep").mkdir()
        (stage / "deep" / "file").write_text("whole")
        assert not target.exists()
    assert (target / "deep" / "file").read_text() == "whole"
    assert [path.name for path in target.parent.iterdir()] == ["target"]


def _write_half(file: Path) -> None:
    file.write_text("half")
    raise ZeroDivisionError


def test_an_exception_leaves_nothing(tmp_path: Path) -> None:
    """Where the block fails there is neither target nor stage, and the error goes through."""
    with pytest.raises(ZeroDivisionError), staging(tmp_path / "target") as stage:
        _write_half(stage / "file")
    assert list(tmp_path.iterdir()) == []


def test_the_first_to_publish_wins(tmp_path: Path) -> None:
    """Where the target came into being meanwhile, it stays and the late stage goes."""
    target = tmp_path / "target"
    with staging(target) as late:
        (late / "file").write_text("late")
        with staging(target) as early:
            (early / "file").write_text("early")
    assert (target / "file").read_text() == "early"
    assert [path.name for path in tmp_path.iterdir()] == ["target"]


def test_a_file_in_the_way_is_an_error(tmp_path: Path) -> None:
    """A file where the folder should be is not overwritten, and the stage goes."""
    target = tmp_path / "target"
    target.write_text("mine")
    with pytest.raises(OSError, match="target"), staging(target) as stage:
        (stage / "file").write_text("x")
    assert target.read_text() == "mine"
    assert [path.name for path in tmp_path.iterdir()] == ["target"]


def test_a_published_file_replaces_the_old_one(tmp_path: Path) -> None:
    """``publish_file`` replaces in one step; after an exception the old file is untouched."""
    target = tmp_path / "file.txt"
    target.write_text("old")
    with pytest.raises(ZeroDivisionError), publish_file(target) as stage:
        _write_half(stage)
    assert target.read_text() == "old"
    with publish_file(target) as stage:
        assert stage.suffix == ".txt"
        stage.write_text("new")
    assert target.read_text() == "new"
    assert list(tmp_path.iterdir()) == [target]


_KILLED = """
import pathlib, sys, time
from hotbed.publishing import staging
with staging(pathlib.Path(sys.argv[1])) as stage:
    (stage / "file").write_text("half")
    print("staged", flush=True)
    time.sleep(60)
"""


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGKILL")
def test_a_killed_process_leaves_no_target(tmp_path: Path) -> None:
    """kill -9 in the middle leaves an unfinished folder under its own name, and no target."""
    target = tmp_path / "target"
    child = subprocess.Popen(
        [sys.executable, "-c", _KILLED, str(target)],
        stdout=subprocess.PIPE,
        env=child_environment(),
    )
    assert child.stdout is not None
    with child.stdout:
        assert child.stdout.readline() == b"staged\n"
        child.send_signal(signal.SIGKILL)
    assert child.wait() == -signal.SIGKILL
    assert not target.exists()
    assert [path.name.startswith(STAGE_PREFIX) for path in tmp_path.iterdir()] == [True]
    assert is_abandoned(next(tmp_path.iterdir()))
    with staging(target) as stage:
        (stage / "file").write_text("whole")
    assert (target / "file").read_text() == "whole"


_RACER = """
import pathlib, sys, time
from hotbed.publishing import staging
target, name = pathlib.Path(sys.argv[1]), sys.argv[2]
print("ready", flush=True)
sys.stdin.readline()
with staging(target) as stage:
    for part in range(20):
        (stage / str(part)).write_text(name)
print("done", flush=True)
"""


def test_processes_that_publish_the_same_target(tmp_path: Path) -> None:
    """Several processes publish one target at once: all succeed, one's folder is there, whole."""
    target = tmp_path / "target"
    children = [
        subprocess.Popen(
            [sys.executable, "-c", _RACER, str(target), str(name)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=child_environment(),
        )
        for name in range(4)
    ]
    for child in children:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
    for child in children:
        assert child.stdin is not None
        child.stdin.write("go\n")
        child.stdin.flush()
    outputs = [child.communicate()[0] for child in children]
    assert outputs == ["done\n"] * 4
    assert [child.returncode for child in children] == [0] * 4
    written = {path.name: path.read_text() for path in target.iterdir()}
    assert set(written) == {str(part) for part in range(20)}
    assert len(set(written.values())) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["target"]


def test_only_what_nobody_will_finish_is_abandoned(tmp_path: Path) -> None:
    """A stage of a living process stays, however old; one of another host, for a day."""
    with staging(tmp_path / "mine") as stage:
        os.utime(stage, (0, 0))
        assert is_abandoned(stage) is (os.name == "nt")
        assert not is_abandoned(tmp_path / f"{STAGE_PREFIX}host~1-gone")
        foreign = tmp_path / f"{STAGE_PREFIX}elsewhere~1-abc"
        foreign.mkdir()
        assert not is_abandoned(foreign)
        os.utime(foreign, (0, 0))
        assert is_abandoned(foreign)
