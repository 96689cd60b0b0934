"""Standard input, output and error made fit for work, whatever they were started as.

A closed one (``>&-``) is None in Python, and its number is given to the next file that is opened:
then a library that writes a message writes it into somebody's model.
"""

from __future__ import annotations

import contextlib
import errno
import io
import os
import sys

__all__ = ["flush_output", "forget_output", "prepare_streams"]


class _ClosedOutput(io.TextIOBase):
    """Standard output where it is closed: what is meant for it cannot be delivered."""

    encoding = "utf-8"

    def writable(self) -> bool:
        """It takes nothing, and says so when it is tried."""
        return True

    def write(self, text: str) -> int:
        """Refuse."""
        if not text:
            return 0
        raise OSError(errno.EBADF, "standard output is closed")


def prepare_streams() -> None:
    """Occupy what is closed, and let no character be one that a terminal's encoding lacks."""
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)
    if sys.stdout is None:
        sys.stdout = _ClosedOutput()
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def flush_output() -> None:
    """Write out what standard output holds back, so that a full disk is noticed here.

    Raises:
        OSError: It cannot be written.
    """
    sys.stdout.flush()


def forget_output() -> None:
    """Let nothing more be written to standard output; Python would try again at exit."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
