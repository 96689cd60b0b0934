"""Readers need no write access: a mount that is read-only, a registry of another user."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from hotbed.registry import Registry
from hotbed.testing import build_tiny
from tests.isolation import child_environment

pytestmark = pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root may change who it is"
)

_READ = """
import json, sys
from hotbed import Deployment, Registry
from hotbed.errors import RegistryError
registry = Registry(sys.argv[1])
said = {"description": registry.resolve("support").description}
said["faults"] = len(registry.doctor().faults)
said["found"] = [str(one) for one in registry.search()]
for name, write in {
    "annotate": lambda: registry.annotate("support", description="x"),
    "register": lambda: registry.register("support", sys.argv[2]),
    "promote": lambda: registry.promote("support", "canary"),
}.items():
    try:
        write()
    except RegistryError as error:
        said[name] = f"{type(error).__name__}: {error}"
if sys.argv[3]:
    with Deployment("support@production", registry=registry, poll=None) as model:
        said["shape"] = model.encode("bread").shape
said["checkout"] = str(registry.checkout("support"))
print(json.dumps(said))
"""
_OTHER_USER = (
    "setpriv",
    "--bounding-set=-dac_override,-dac_read_search,-fowner",
)
"""Root without its powers over files is a user like any other, to whom Python is readable."""

_READ_ONLY = (
    "unshare",
    "--mount",
    "sh",
    "-c",
    'mount --bind "$0" "$0" && mount -o remount,ro,bind "$0" && exec "$@"',
)


def read(*before: str, place: Path, home: Path, encode: bool = False) -> dict[str, Any]:
    """Read a registry in a process that begins so."""
    done = subprocess.run(
        [
            *(*before, sys.executable, "-c", _READ),
            *(str(place / "registry"), str(place / "model"), "yes" if encode else ""),
        ],
        capture_output=True,
        text=True,
        env=child_environment(HOTBED_HOME=str(home), XDG_CACHE_HOME=str(home / "cache")),
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    said: dict[str, Any] = json.loads(done.stdout)
    for call in ("annotate", "register", "promote"):
        assert said[call].startswith("RegistryUnavailableError"), said
    assert (said["faults"], said["found"]) == (0, ["support@0.0.1"])
    assert said.get("shape", [32]) == [32]
    return said


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A registry that is closed, and a model."""
    place = tmp_path / "place"
    build_tiny(place / "model")
    with Registry(place / "registry", who="ada") as registry:
        registry.register("support", place / "model", description="first")
        registry.promote("support@0.0.1", "production")
    return place


def require(*command: str) -> None:
    """Skip where that is not permitted."""
    if shutil.which(command[0]) is None or subprocess.run(command, check=False).returncode:
        pytest.skip(f"{command[0]} is not permitted here")


def test_a_mount_that_is_read_only(place: Path, tmp_path: Path) -> None:
    """The home is elsewhere; nothing appears on the mount."""
    before = sorted(path.name for path in place.rglob("*"))
    require(*_READ_ONLY, str(place), "true")
    read(*_READ_ONLY, str(place), place=place, home=tmp_path / "home", encode=True)
    assert sorted(path.name for path in place.rglob("*")) == before


_BAKE = """
import sys
import hotbed
hotbed.load("registry:support@production", registry=sys.argv[1]).encode("bread")
"""


def test_an_image_with_a_baked_model(place: Path) -> None:
    """Registry and home, all of it read-only, the version loaded once while it was built."""
    home = place / "home"
    require(*_READ_ONLY, str(place), "true")
    subprocess.run(
        [sys.executable, "-c", _BAKE, str(place / "registry")],
        env=child_environment(HOTBED_HOME=str(home)),
        check=True,
    )
    assert list((place / "registry").glob("registry.sqlite3-*")) == []
    # What the graph cache does where its home is read-only is tested with it.
    said = read(*_READ_ONLY, str(place), place=place, home=home)
    assert said["checkout"].startswith(str(home / "registered"))


_CHECK_OUT = """
import sys
from hotbed.registry import Registry
print(Registry(sys.argv[1]).checkout("support"))
"""


def test_a_home_that_is_read_only(place: Path, tmp_path: Path) -> None:
    """Nothing was checked out before: the version is placed in the user's cache, or beyond."""
    (place / "home").mkdir()
    require(*_READ_ONLY, str(place), "true")
    for cache, temporary in ((tmp_path / "cache", tmp_path), (place / "cache", tmp_path)):
        done = subprocess.run(
            [*_READ_ONLY, place, sys.executable, "-c", _CHECK_OUT, place / "registry"],
            capture_output=True,
            text=True,
            env=child_environment(
                HOTBED_HOME=str(place / "home"),
                XDG_CACHE_HOME=str(cache),
                TMPDIR=str(temporary),
            ),
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        wanted = cache if cache.is_relative_to(tmp_path / "cache") else temporary
        folder = Path(done.stdout.strip())
        assert folder.is_relative_to(wanted)
        assert (folder / "config.json").is_file()


@pytest.fixture
def others(place: Path) -> Path:
    """The registry belongs to somebody else."""
    require(*_OTHER_USER, "true")
    for path in [place / "registry", *(place / "registry").rglob("*")]:
        os.chown(path, 1000, 1000)
    return place


def test_another_users_registry(others: Path, tmp_path: Path) -> None:
    """While nobody has it open, and while its owner writes: what was committed is seen."""
    assert read(*_OTHER_USER, place=others, home=tmp_path / "h")["description"] == "first"
    with Registry(others / "registry", who="ada") as owner:
        owner.annotate("support", description="second")
        assert list((others / "registry").glob("*-wal"))
        assert read(*_OTHER_USER, place=others, home=tmp_path / "h")["description"] == "second"
    assert read(*_OTHER_USER, place=others, home=tmp_path / "h")["description"] == "second"


_KILLED = """
import os, sys
from hotbed.registry import Registry
registry = Registry(sys.argv[1])
registry.annotate("support", description="third")
os.kill(os.getpid(), 9)
"""


def test_what_a_killed_writer_left(others: Path, tmp_path: Path) -> None:
    """What it had committed is seen; where it cannot be, that is said, and nothing older given."""
    subprocess.run([sys.executable, "-c", _KILLED, str(others / "registry")], check=False)
    assert read(*_OTHER_USER, place=others, home=tmp_path / "h")["description"] == "third"
    (others / "registry" / "registry.sqlite3-shm").unlink()
    done = subprocess.run(
        [*_OTHER_USER, sys.executable, "-m", "hotbed", "registry", "list"],
        capture_output=True,
        text=True,
        env=child_environment(
            HOTBED_HOME=str(tmp_path / "h"), HOTBED_REGISTRY=str(others / "registry")
        ),
        check=False,
    )
    assert done.returncode == 1
    assert "-wal is left over" in done.stderr.replace("\n", " ")
