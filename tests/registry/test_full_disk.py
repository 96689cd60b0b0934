"""A disk that takes no more: a clear error, no half file under a real name, nothing lost.

The limit is that of a process on the size of files, which fails in ``write`` as a full disk does.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from hotbed.registry import Registry
from hotbed.testing import build_tiny
from tests.isolation import child_environment

pytest.importorskip("resource", reason="no such limits on Windows")

WORK = """
import resource, signal, sys
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, 40_000))
from hotbed.cli.main import run
sys.argv[0] = "hotbed"
run()
"""


def limited(*arguments: object) -> tuple[int, str]:
    """Run a command of hotbed in a process that may write files of 40 kB at most."""
    done = subprocess.run(
        [sys.executable, "-c", WORK, *map(str, arguments)],
        capture_output=True,
        text=True,
        env=child_environment(),
        timeout=120,
        check=False,
    )
    return done.returncode, done.stderr


def test_registering(registry: Registry, model: Path) -> None:
    """The weights do not fit: nothing is registered, and the next one is the first."""
    code, said = limited(
        "registry", "register", "support", model, "--registry", registry.store.place
    )
    assert code == 1, said
    assert "File too large" in said
    assert "Traceback" not in said
    assert list(registry.search()) == []
    assert registry.doctor().faults == ()
    assert not list((Path(registry.store.place) / "blobs" / "stages").iterdir())
    assert str(registry.register("support", model)) == "support@0.0.1"


def test_exporting(registry: Registry, model: Path, tmp_path: Path) -> None:
    """No archive appears, and none that was there is lost."""
    registry.register("support", model)
    out = tmp_path / "a.tar"
    out.write_bytes(b"before")
    code, said = limited(
        *("registry", "export", "support", "--out", out, "--registry", registry.store.place)
    )
    assert code == 1, said
    assert "File too large" in said
    assert out.read_bytes() == b"before"
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["a.tar"]


_FULL = """
import sys
from pathlib import Path
from hotbed.errors import RegistryUnavailableError
from hotbed.registry import Registry
place = Path(sys.argv[1])
first, second, third = sys.argv[2:]

def fill():
    with (place / "fill").open("ab", buffering=0) as file:
        try:
            while True:
                file.write(bytes(512))
        except OSError:
            pass

def opened():
    return Registry(place / "registry", who="ada")

with opened() as registry:
    registry.register("support", first)
    registry.register("support", second)
fill()
with opened() as registry:
    assert registry.resolve("support").version == "0.0.2"
    registry.delete("support@0.0.1")
for _ in range(3):
    fill()
    with opened() as registry:
        try:
            registry.register("support", third)
        except RegistryUnavailableError as error:
            assert "hotbed registry gc" in str(error), error
        else:
            raise AssertionError("there is room")
fill()
with opened() as registry:
    assert registry.gc(older_than=0).blobs >= 1
    assert registry.gc(older_than=0).blobs == 0
    assert registry.doctor().faults == ()
    assert [head.seq for head in registry.store.ownership.heads()] == [3]
    (place / "fill").unlink()
    registry.register("support", third)
    registry.audit()
"""


def test_space_can_be_freed_on_a_full_disk(tmp_path: Path) -> None:
    """Not a byte is left: reading, delete and gc work by what was kept back, again and again."""
    mount = 'mount -t tmpfs -o size=6m tmpfs "$0" && exec "$@"'
    before = ["unshare", "--mount", "sh", "-c", mount, str(tmp_path)]
    if shutil.which("unshare") is None or subprocess.run([*before, "true"], check=False).returncode:
        pytest.skip("mounting is not permitted here")
    models = [build_tiny(tmp_path.with_name(f"full{seed}"), seed=seed) for seed in range(3)]
    done = subprocess.run(
        [*before, sys.executable, "-c", _FULL, tmp_path, *models],
        capture_output=True,
        text=True,
        env=child_environment(),
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
