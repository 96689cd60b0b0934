"""What the worker watches of itself while a case runs: files, processes, hosts, code, memory.

Python's audit events see what Python does; what native code writes is seen in the sentinel's
folders afterwards.
"""

from __future__ import annotations

import contextlib
import os
import resource
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

__all__ = ["FILE_SIZE", "MEMORY", "Guard", "limit_process", "peak_memory", "reset_peak"]

MEMORY = 2 << 30
"""Bytes of addresses beyond those of a worker that has loaded everything."""

FILE_SIZE = 1 << 28
"""Bytes that a file may grow to."""

_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_CHANGES = frozenset(
    "os.remove os.rename os.rmdir os.mkdir os.symlink os.link os.chmod os.chown os.truncate "
    "os.utime shutil.rmtree shutil.move".split()
)
_PROCESSES = frozenset(
    "subprocess.Popen os.system os.exec os.posix_spawn os.fork os.startfile".split()
)
_NETWORK = frozenset(
    "socket.connect socket.getaddrinfo socket.gethostbyname socket.sendto socket.bind".split()
)


class Guard:
    """Listens to audit events while it is armed, and notes what no case may do."""

    def __init__(self) -> None:
        self._armed = False
        self._inside = False
        self._writable: tuple[str, ...] = ()
        self._strange: tuple[str, ...] = ()
        self._secrets = ""
        self.violations: list[str] = []
        sys.addaudithook(self._hear)

    @contextlib.contextmanager
    def armed(self, folder: Path, writable: tuple[Path, ...], sentinel: Path) -> Iterator[None]:
        """Watch.

        Args:
            folder: The case's files, which may be read and not run.
            writable: Where may be written.
            sentinel: The user's home and current folder; the home may not even be read.
        """
        self._strange = (os.path.realpath(folder), os.path.realpath(sentinel))
        self._secrets = os.path.realpath(sentinel / "home")
        self._writable = tuple(os.path.realpath(path) for path in writable)
        self.violations = []
        self._armed = True
        try:
            yield
        finally:
            self._armed = False

    def _hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self._armed or self._inside:
            return
        self._inside = True
        try:
            self._judge(event, arguments)
        finally:
            self._inside = False

    def _judge(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open":
            self._judge_open(*arguments)
        elif event in _CHANGES:
            self._judge_change(event, arguments)
        elif event in _PROCESSES:
            command = str(arguments[1] if event == "subprocess.Popen" else arguments[0])
            if "'pip', 'download'" not in command:
                self._note("process", f"{event} {command[:200]}")
        elif event in _NETWORK:
            self._note("network", f"{event} {arguments[1:]!r:.200}")
            raise PermissionError("a case reaches nothing")
        elif event == "pickle.find_class":
            self._note("code", f"unpickled {arguments!r:.200}")
        elif event == "exec":
            name = getattr(arguments[0], "co_filename", "")
            if name.startswith(self._strange):
                self._note("code", f"ran {name}")

    def _judge_open(self, path: Any, mode: Any, flags: Any) -> None:
        if isinstance(path, int) or path is None:
            return
        name = os.fsdecode(path)
        if isinstance(flags, int) and flags & _WRITES:
            self._require_writable("open", Path(name))
        elif os.path.realpath(name).startswith(self._secrets):
            self._note("read", name)

    def _judge_change(self, event: str, arguments: tuple[Any, ...]) -> None:
        names = [one for one in arguments[:2] if isinstance(one, str | bytes | os.PathLike)]
        handle = next((one for one in arguments[1:] if type(one) is int and one > 2), None)
        if event in ("os.symlink", "os.link"):
            names = names[1:]  # the first is what it leads to
        for name in names:
            path = Path(os.fsdecode(name))
            if not path.is_absolute() and handle is not None:
                with contextlib.suppress(OSError):
                    path = Path(f"/proc/self/fd/{handle}").readlink() / path
            self._require_writable(event, path)

    def _require_writable(self, event: str, path: Path) -> None:
        # The link itself is what is removed or replaced, not what it leads to.
        path = path.resolve() if event == "open" else path.parent.resolve() / path.name
        inside = any(path.is_relative_to(root) for root in self._writable)
        if not inside and path != Path(os.devnull):
            self._note("write", f"{event} {path}")

    def _note(self, kind: str, told: str) -> None:
        if len(self.violations) < 20:
            self.violations.append(f"{kind}: {told}")


def limit_process() -> None:
    """Set the limits that the system enforces, so that no case takes the machine down."""
    import mmap

    pages = int(Path("/proc/self/statm").read_text("ascii").split()[0])
    size = pages * mmap.PAGESIZE + MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (size, size))
    resource.setrlimit(resource.RLIMIT_FSIZE, (FILE_SIZE, FILE_SIZE))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def reset_peak() -> int:
    """Forget the highest memory so far; gives bytes in use."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5", "ascii")
    return _status("VmRSS")


def peak_memory() -> int:
    """The highest memory since ``reset_peak``, in bytes."""
    return _status("VmHWM")


def _status(name: str) -> int:
    for line in Path("/proc/self/status").read_text("ascii").splitlines():
        if line.startswith(name):
            return int(line.split()[1]) << 10
    return 0
