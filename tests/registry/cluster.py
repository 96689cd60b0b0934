"""A PostgreSQL cluster of the tests' own: made, started on a private socket, and removed."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

__all__ = ["cluster"]

_PORT = "54399"  # a name of the socket's file; nothing listens on the network


@contextmanager
def cluster() -> Iterator[str]:
    """Give the URL of an empty database."""
    programs = _programs()
    # Debian's sockets have paths of up to 107 bytes, and pytest's folders are long.
    with tempfile.TemporaryDirectory(prefix="hotbed-pg-") as name:
        place = Path(name)
        place.chmod(0o777)
        data, run = place / "data", _as_somebody()
        _call(*run, programs / "initdb", "-D", data, "-A", "trust", "-U", "hotbed", "--no-sync")
        options = f"-p {_PORT} -k {place} -c listen_addresses='' -c max_connections=100"
        start = ("-D", data, "-o", options, "-l", place / "log", "-w", "start")
        _call(*run, programs / "pg_ctl", *start)
        try:
            _call(*run, programs / "createdb", "-h", place, "-p", _PORT, "-U", "hotbed", "registry")
            yield f"postgresql://hotbed@/registry?host={place}&port={_PORT}"
        finally:
            _call(*run, programs / "pg_ctl", "-D", data, "-m", "immediate", "stop")


def _programs() -> Path:
    """Where PostgreSQL's programs lie; Debian keeps them out of PATH."""
    named = shutil.which("initdb")
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if named is None and not found:
        reason = "PostgreSQL's initdb is not installed"
        if "postgres" in os.environ.get("HOTBED_REQUIRE", "").split(","):
            pytest.fail(reason)
        pytest.skip(reason)
    return found[-1].parent if found else Path(str(named)).parent


def _as_somebody() -> tuple[str, ...]:
    """PostgreSQL refuses to run as root."""
    if os.name == "nt" or os.geteuid() != 0:
        return ()
    return ("setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups")


def _call(*command: object) -> None:
    done = subprocess.run(
        [str(part) for part in command],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=120,
        check=False,
        cwd="/",
    )
    assert done.returncode == 0, done.stdout
