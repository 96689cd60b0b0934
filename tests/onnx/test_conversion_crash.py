"""Conversions that are killed, that race, and that run out of disk."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import hotbed
from hotbed.backends import ConvertTarget
from hotbed.conversion import convert_into
from hotbed.errors import ConversionError, SettingsError
from hotbed.loading import default_house
from hotbed.publishing import STAGE_PREFIX
from tests.isolation import child_environment

LOAD = """
import sys
import hotbed
sys.stdin.readline()
with hotbed.load(sys.argv[1]) as model:
    print(*model.encode("the cat sleeps").tolist())
"""


def start(folder: Path, **environment: str) -> subprocess.Popen[str]:
    """A process that loads the model once it is told to."""
    return subprocess.Popen(
        [sys.executable, "-c", LOAD, str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=child_environment(**environment),
    )


def graphs(prefix: str = "") -> list[Path]:
    """Folders in the cache, finished or not."""
    return [p for p in default_house().cache.root.glob("*/*") if p.name.startswith(prefix)]


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGKILL")
def test_a_load_after_a_killed_conversion(tiny: Path, recorder_site: Path) -> None:
    """kill -9 with the graph written and not published: the next load converts and works."""
    child = start(tiny, PYTHONPATH=str(recorder_site), ACME_KILL="1")
    child.communicate("go\n")
    assert child.returncode == -signal.SIGKILL
    assert graphs() == graphs(STAGE_PREFIX) != []
    assert hotbed.load(tiny).encode("the cat sleeps").shape == (32,)
    assert len(default_house().cache.entries()) == 1
    _, unfinished = default_house().cache.prune()
    assert unfinished == 1
    assert graphs() == []


def test_processes_that_convert_the_same_model(tiny: Path) -> None:
    """Several processes convert one model at once: all work, alike, and one graph is kept."""
    children = [start(tiny) for _ in range(3)]
    for child in children:
        assert child.stdin is not None
        child.stdin.write("go\n")
        child.stdin.flush()
    rows = [child.communicate()[0].split() for child in children]
    assert [child.returncode for child in children] == [0, 0, 0]
    expected = hotbed.load(tiny).encode("the cat sleeps")
    for row in rows:
        np.testing.assert_allclose(np.array(row, dtype=np.float32), expected, atol=1e-6)
    assert len(graphs()) == len(default_house().cache.entries()) == 1


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO, errno.EDQUOT])
def test_a_disk_that_refuses(tiny: Path, monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    """Where the system refuses to write, a ConversionError says why, and nothing stays."""

    def refuse(descriptor: int) -> None:
        raise OSError(code, os.strerror(code))

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", refuse)
        with pytest.raises(ConversionError, match="nothing was left there") as caught:
            hotbed.load(tiny)
    assert ("the disk is full" in str(caught.value)) is (code == errno.ENOSPC)
    assert "tiny was not converted" in str(caught.value)
    assert graphs() == []
    assert hotbed.load(tiny).encode("cat").shape == (32,)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 64 KiB, less than the tiny model's weights."""
    place = tmp_path / "disk"
    place.mkdir()
    mount, unmount = shutil.which("mount"), shutil.which("umount")
    if mount is None or unmount is None:
        pytest.skip("no mount command here")
    command = [mount, "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(place)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"a small disk cannot be mounted here: {done.stderr.strip()}")
    yield place
    subprocess.run([unmount, str(place)], check=True)


def test_a_full_disk(tiny: Path, small_disk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a disk that is too small the error says that it is full, and the disk is left empty."""
    monkeypatch.setenv("HOTBED_HOME", str(small_disk))
    # Somebody else fills the disk after it was asked.
    monkeypatch.setattr("hotbed.conversion.convert.require_room", lambda folder, place: None)
    hotbed.refresh()
    with pytest.raises(ConversionError, match="the disk is full; nothing was left there"):
        hotbed.load(tiny)
    assert graphs() == []


def test_a_home_that_cannot_be_written(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A home below a file is a mistake in the settings, which the error names."""
    home = tiny / "config.json" / "home"
    monkeypatch.setenv("HOTBED_HOME", str(home))
    hotbed.refresh()
    with pytest.raises(SettingsError, match=r"HOTBED_HOME.*config\.json is not a folder"):
        hotbed.load(tiny)


def test_a_conversion_never_writes_into_what_exists(tiny: Path, tmp_path: Path) -> None:
    """The library call refuses a folder that is there, and leaves it as it is."""
    house = default_house()
    folder = house.read(house.locate(str(tiny)))
    place = tmp_path / "mine"
    place.mkdir()
    with pytest.raises(ConversionError, match="exists"):
        convert_into(house.engine("onnx_cpu"), folder, ConvertTarget(), place, house.gate())
    assert list(place.iterdir()) == []
