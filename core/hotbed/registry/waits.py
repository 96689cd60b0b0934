"""Waiting for a turn to write: one limit for all of it, and a message that names who holds it."""

from __future__ import annotations

import contextlib
import functools
import json
import logging
import os
import platform
import random
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

from attrs import define, field

from hotbed.errors import RegistryUnavailableError
from hotbed.registry.events import now

__all__ = ["Wait", "holder_record", "sqlite_holder", "turn"]

_log = logging.getLogger("hotbed.registry")

_PATIENCE = 1.0
"""Seconds after which a wait is worth a line in the log."""

_LONGEST_PAUSE = 0.02
_RECORD = 512
"""Bytes of a record: always as many, so that a full disk does not matter after the first."""


@define
class Wait:
    """A wait with a limit, which several locks in a row share.

    Attributes:
        place: What is waited for, for messages.
        timeout_s: Seconds that it may take.
        holder: Tells who holds it.
    """

    place: str
    timeout_s: float
    holder: Callable[[], str]
    _start: float = field(factory=time.monotonic, init=False)
    _pause: float = field(default=0.0005, init=False)
    _said: bool = field(default=False, init=False)

    @property
    def left(self) -> float:
        """Seconds that are left."""
        return max(0.0, self._start + self.timeout_s - time.monotonic())

    @property
    def patience(self) -> float:
        """Seconds until something should be said, or until the limit."""
        return self.left if self._said else min(self.left, _PATIENCE)

    def sleep(self) -> None:
        """Sleep a little, longer each time, up to 20 ms; say what is waited for after a second.

        Raises:
            RegistryUnavailableError: The limit is reached.
        """
        self.check()
        time.sleep(min(self._pause * random.uniform(0.5, 1.0), self.left))  # noqa: S311
        self._pause = min(2 * self._pause, _LONGEST_PAUSE)

    def check(self) -> None:
        """Say what is waited for, once, after a second.

        Raises:
            RegistryUnavailableError: The limit is reached.
        """
        if self.left <= 0:
            raise self.error()
        if not self._said and time.monotonic() - self._start >= _PATIENCE:
            self._said = True
            _log.warning(
                "waiting to write to the registry %s, up to %g s: %s",
                self.place,
                self.timeout_s,
                self.holder(),
            )

    def error(self) -> RegistryUnavailableError:
        """What is raised at the limit."""
        return RegistryUnavailableError(
            f"the registry {self.place} could not be written within {self.timeout_s:g} s "
            f"(timeout_s): {self.holder()}. Nothing was changed; if that process hangs, end it"
        )

    def acquire(self, lock: threading.Lock) -> None:
        """Take a lock of this process.

        Raises:
            RegistryUnavailableError: The limit is reached.
        """
        while not lock.acquire(timeout=self.patience):
            self.check()


def holder_record(actor: str) -> dict[str, object]:
    """Who this is, for whoever waits."""
    return {"host": platform.node(), "pid": os.getpid(), "actor": actor, "since": now()}


@contextlib.contextmanager
def turn(file: Path | None, wait: Wait, actor: str) -> Iterator[None]:
    """Wait for this process's turn to write to a SQLite file, and leave a record of who has it.

    SQLite keeps two writers apart by itself, and has them sleep longer and longer in between. This
    is for speed and for the record: where there are no such locks, SQLite's own hold.
    """
    if file is None or sys.platform == "win32":
        yield
        return
    import fcntl

    with contextlib.ExitStack() as stack:
        queue = _opened(_turn_file(file))
        if queue is not None:
            stack.enter_context(queue)
            while True:
                try:
                    fcntl.flock(queue, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    wait.sleep()
                except OSError:  # a file system without such locks
                    break
                else:
                    _write_record(queue, actor)
                    break
        wait.holder = functools.partial(_other_holder, file)  # no writer of hotbed's any more
        yield


def _turn_file(file: Path) -> Path:
    return file.with_name(f"{file.name}.turn")


def _opened(path: Path) -> IO[bytes] | None:
    for mode in (os.O_RDWR | os.O_CREAT, os.O_RDONLY):
        with contextlib.suppress(OSError):  # another user's file can be locked all the same
            return os.fdopen(os.open(path, mode | os.O_CLOEXEC, 0o666), "rb", buffering=0)
    return None


def _write_record(queue: IO[bytes], actor: str) -> None:
    content = json.dumps(holder_record(actor)).encode()[:_RECORD].ljust(_RECORD)
    with contextlib.suppress(OSError):  # it only helps whoever waits
        os.pwrite(queue.fileno(), content, 0)


def sqlite_holder(file: Path) -> str:
    """Who holds a SQLite file, as far as can be seen."""
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError, ImportError):
        if _is_locked(_turn_file(file)):
            record = json.loads(_turn_file(file).read_bytes()[:_RECORD])
            return (
                f"{record['actor']} on {record['host']}, process {record['pid']}, has been writing "
                f"since {record['since']}"
            )
    return _other_holder(file)


def _other_holder(file: Path) -> str:
    processes = sorted(_lockers(file))
    if processes:
        listed = ", ".join(map(str, processes))
        return f"process {listed} of this machine holds {file}, and is no writer of hotbed's"
    return f"somebody who is no writer of hotbed's holds {file}"


def _is_locked(path: Path) -> bool:
    import fcntl

    with path.open("rb") as queue:
        try:
            fcntl.flock(queue, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        return False


def _lockers(file: Path) -> set[int]:
    """Processes that hold one of SQLite's locks, where the system tells (Linux)."""
    inodes = set()
    for path in (file, file.with_name(f"{file.name}-shm"), file.with_name(f"{file.name}-wal")):
        with contextlib.suppress(OSError):
            inodes.add(str(path.stat().st_ino))
    found = set()
    with contextlib.suppress(OSError):
        for line in Path("/proc/locks").read_text(encoding="utf-8").splitlines():
            words = line.split()
            if len(words) >= 6 and words[3] == "WRITE" and words[5].rpartition(":")[2] in inodes:
                found.add(int(words[4]))
    return found - {os.getpid()}
