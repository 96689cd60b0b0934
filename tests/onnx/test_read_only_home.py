"""A home that nobody may write to serves what it holds, and says the way out for the rest."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

import hotbed
from hotbed.child_processes import run_python
from hotbed.loading import default_house

PREFIX = """
import ctypes, os, sys
# The administrator may write everywhere; without these capabilities this process may not.
libc = ctypes.CDLL(None, use_errno=True)
header = (ctypes.c_uint32 * 2)(0x20080522, 0)
data = (ctypes.c_uint32 * 6)()
assert libc.capget(header, data) == 0
for word in (0, 1):  # effective and permitted: CAP_DAC_OVERRIDE, _READ_SEARCH, CAP_FOWNER
    data[word] &= ~0b1110
assert libc.capset(header, data) == 0
"""
LOAD = (
    PREFIX
    + """
import logging, hotbed
logging.basicConfig(level=logging.WARNING)
with hotbed.load(sys.argv[1]) as model:
    print(model.encode("the cat sleeps").shape)
"""
)

pytestmark = pytest.mark.skipif(not hasattr(os, "geteuid"), reason="Windows has other rights")


def bar(home: Path, mode: int) -> None:
    """Let nobody write, or let its owner write again."""
    for path in (home, *home.rglob("*")):
        if path.is_dir():
            path.chmod(mode)
        else:
            path.chmod(mode & 0o666)


@pytest.fixture
def home(tiny: Path) -> Iterator[Path]:
    """A home with a converted graph, that may not be written to."""
    with hotbed.load(tiny) as model:
        model.encode("the cat sleeps")
    place = default_house().settings.home
    bar(place, 0o555)
    yield place
    bar(place, 0o755)


@pytest.mark.parametrize("owner", [0, 54321])
@pytest.mark.parametrize("memory", [True, False])
def test_a_baked_model_loads(tiny: Path, home: Path, memory: bool, owner: int) -> None:
    """With and without remembered digests, whoever owns it, and without a word of complaint."""
    if not memory:
        home.chmod(0o755)
        (home / "digests.sqlite3").unlink()
        home.chmod(0o555)
    if os.geteuid() == 0:
        for path in (home, *home.rglob("*")):
            os.chown(path, owner, owner)
    done = run_python(["-c", LOAD, str(tiny)])
    assert (done.stdout, done.stderr) == ("(32,)\n", "")


def test_what_is_not_there_names_the_way_out(tiny: Path, home: Path) -> None:
    """A model that has to be converted cannot be, and the error names the variable."""
    shutil.copytree(tiny, tiny.parent / "other")
    path = tiny.parent / "other" / "config.json"
    path.write_text(path.read_text() + "\n")  # another key
    done = run_python(["-c", LOAD, str(path.parent)])
    assert "ConversionError" in done.stderr
    assert "HOTBED_HOME names one" in done.stderr
