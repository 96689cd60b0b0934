"""Start another Python; the only place of the project that starts processes.

A child imports nothing from the current directory, which may be a stranger's: it gets the safe
path (``-P``), a directory of its own, no relative entry in ``PATH`` and ``PYTHONPATH``, and no
terminal to read from.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import IO

from hotbed.errors import HotbedError

__all__ = ["TimeoutExpired", "python_environment", "run_python", "start_python"]

TimeoutExpired = subprocess.TimeoutExpired

# What makes Python run a file, or wait for input, before or after what it was started for.
_DROPPED = ("PYTHONSTARTUP", "PYTHONINSPECT", "PYTHONBREAKPOINT")


def run_python(
    arguments: Sequence[str], *, stdin: str | None = None, timeout: float | None = None
) -> subprocess.CompletedProcess[str]:
    """Run Python to its end, in an empty directory that is removed afterwards.

    Args:
        arguments: What follows the interpreter: ``-m module …`` or ``-c code``.
        stdin: What it reads; None closes its standard input.
        timeout: Seconds.

    Raises:
        subprocess.TimeoutExpired: It took longer, and was killed.
    """
    with tempfile.TemporaryDirectory(prefix="hotbed-child-", ignore_cleanup_errors=True) as folder:
        return subprocess.run(
            [*_interpreter(), *arguments],
            input=stdin,
            stdin=subprocess.DEVNULL if stdin is None else None,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=timeout,
            check=False,
            cwd=folder,
            env=python_environment(PYTHONIOENCODING="utf-8"),
        )


def start_python(
    arguments: Sequence[str], *, folder: Path, stderr: IO[bytes], path: Iterable[str]
) -> subprocess.Popen[bytes]:
    """Start Python in a session of its own, with nothing to read and nowhere to print.

    Args:
        arguments: What follows the interpreter.
        folder: Its current directory: one that is the caller's own.
        stderr: Where complaints go.
        path: Where it imports from besides its own library; relative entries are left out, and the
            current directory where Python itself put it there.
    """
    entries = _imports_of_ours(path)
    return subprocess.Popen(
        [*_interpreter(), *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=stderr,
        cwd=folder,
        env=python_environment(PYTHONPATH=os.pathsep.join(entries)),
        start_new_session=True,
    )


def python_environment(environ: Mapping[str, str] | None = None, **changes: str) -> dict[str, str]:
    """The environment of a child: this process's, without what lets the current directory in.

    Args:
        environ: What to start from; ``os.environ`` if None.
        changes: Variables to set; they are cleaned as well.
    """
    variables = {**(os.environ if environ is None else environ), **changes}
    for name in _DROPPED:
        variables.pop(name, None)
    for name in ("PATH", "PYTHONPATH"):
        if name in variables:
            entries = filter(_absolute, variables[name].split(os.pathsep))
            variables[name] = os.pathsep.join(entries)
    if not variables.get("PYTHONPATH"):  # an empty one would be one entry, and the directory
        variables.pop("PYTHONPATH", None)
    return {**variables, "PYTHONSAFEPATH": "1"}


def _interpreter() -> list[str]:
    if not _absolute(sys.executable or ""):
        raise HotbedError(
            "a second Python cannot be started: this one does not know where its own program "
            f"lies (sys.executable is {sys.executable!r})"
        )
    return [sys.executable, "-P"]


def _imports_of_ours(path: Iterable[str]) -> list[str]:
    """Entries of ``sys.path`` that somebody chose: not the current directory that Python adds."""
    chosen = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    here = str(Path.cwd())
    return [entry for entry in path if _absolute(entry) and (entry != here or entry in chosen)]


def _absolute(entry: str) -> bool:
    return Path(entry).is_absolute()
