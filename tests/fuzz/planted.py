"""Targets with one fault each: what the fuzzer must find, or it finds nothing.

Run by the worker as any target is, under the name ``planted …``.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.fuzz.targets import TARGETS, Job

__all__ = ["PLANTED"]

Result = dict[str, Any]


def _key_error(job: Job) -> Result:
    values: Result = {}
    return {"value": values["absent"]}


def _panic(job: Job) -> Result:
    class PanicException(BaseException):  # as pyo3 raises it
        pass

    raise PanicException("called unwrap() on None")


def _exit(job: Job) -> Result:
    sys.exit(3)


def _write_home(job: Job) -> Result:
    (Path.home() / "left-behind").write_text("x", encoding="utf-8")
    return {}


def _write_natively(job: Job) -> Result:
    """As native code does, which no audit event tells of."""
    import ctypes

    name = os.fsencode(Path.home() / ".bashrc")
    return {"status": ctypes.CDLL(None).truncate(name, 3)}


def _write_model(job: Job) -> Result:
    (job.folder / "config.json").unlink(missing_ok=True)
    return {}


def _read_secret(job: Job) -> Result:
    (job.folder / "link").symlink_to(Path.home() / ".ssh" / "id_rsa")
    try:
        return {"length": len((job.folder / "link").read_bytes())}
    finally:
        (job.folder / "link").unlink()


def _hang(job: Job) -> Result:
    time.sleep(3600)
    return {}


def _kill(job: Job) -> Result:
    os.kill(os.getpid(), signal.SIGSEGV)
    return {}


def _grow(job: Job) -> Result:
    return {"sum": sum(bytearray(os.urandom(1) * (700 << 20))[:: 1 << 20])}


def _fill(job: Job) -> Result:
    with (job.scratch / "zeros").open("wb") as file:
        for _ in range(100):
            file.write(b"x" * (1 << 20))
    return {}


def _process(job: Job) -> Result:
    subprocess.run(["true"], check=True)
    return {}


def _network(job: Job) -> Result:
    with socket.socket() as sock:
        try:
            sock.connect(("127.0.0.1", 9))
        except OSError:
            return {}
    return {}


def _run_code(job: Job) -> Result:
    file = job.folder / "modeling.py"
    exec(compile("x = 1", str(file), "exec"), {})
    return {}


def _unpickle(job: Job) -> Result:
    import pickle

    pickle.loads(b"cos\ngetpid\n.")
    return {}


def _traceback(job: Job) -> Result:
    return {"exit": 1, "out": "", "err": "Traceback (most recent call last):\n  ..."}


def _escape(job: Job) -> Result:
    return {"exit": 0, "out": "\x1b[31mred", "err": ""}


def _changed(change: Callable[[Result], None]) -> Callable[[Job], Result]:
    """A real model's result, changed."""

    def target(job: Job) -> Result:
        result = TARGETS["load"](job)
        change(result)
        return result

    return target


def _not_finite(result: Result) -> None:
    result["vectors"][0][0] = float("nan")


def _neighbours(result: Result) -> None:
    result["alone"][0] = result["alone"][0][::-1]


def _other_vectors(result: Result) -> None:
    for name in ("vectors", "alone"):
        result[name] = [row[::-1] for row in result[name]]


def _other_width(result: Result) -> None:
    for name in ("vectors", "alone"):
        result[name] = [row[:-1] for row in result[name]]


PLANTED: dict[str, Callable[[Job], Result]] = {
    "key error": _key_error,
    "panic": _panic,
    "exit": _exit,
    "write home": _write_home,
    "write natively": _write_natively,
    "write model": _write_model,
    "read secret": _read_secret,
    "hang": _hang,
    "kill": _kill,
    "grow": _grow,
    "fill": _fill,
    "process": _process,
    "network": _network,
    "run code": _run_code,
    "unpickle": _unpickle,
    "traceback": _traceback,
    "escape": _escape,
    "not finite": _changed(_not_finite),
    "neighbours": _changed(_neighbours),
    "other vectors": _changed(_other_vectors),
    "other width": _changed(_other_width),
}
