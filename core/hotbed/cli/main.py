"""The start of ``hotbed``: nothing heavy is imported before an interruption is looked after."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from typing import Any

__all__ = ["run"]

_INTERRUPTED = 130


def run() -> None:
    """Run the command line, and exit with one of the codes of docs/command-line.md."""
    handler = signal.getsignal(signal.SIGINT)
    # Python's own handler raises wherever it happens to be: in the middle of an import, which takes
    # that for a broken package. An ignored signal (nohup) stays ignored.
    watched = handler is signal.default_int_handler
    if watched:
        signal.signal(signal.SIGINT, _leave)
    try:
        sys.exit(_start(handler))
    finally:
        if watched:  # only the interpreter is left to stop, and it would say much about it
            signal.signal(signal.SIGINT, _leave)


def _start(handler: Any) -> int:
    try:
        from hotbed.cli.boundary import call
    except Exception as error:
        if "-vv" in sys.argv[1:2]:
            raise
        if sys.stderr is not None:
            sys.stderr.write(
                f"error: hotbed cannot start, because a package that it needs cannot be imported: "
                f"{type(error).__name__}: {ascii(str(error))[:500]}; install hotbed again, or see "
                f"the whole with hotbed -vv\n"
            )
        return 1
    signal.signal(signal.SIGINT, handler)
    return call(sys.argv[1:])


def _leave(*_: object) -> None:
    """End the process here and now: nothing was begun that could be left half done."""
    with contextlib.suppress(OSError):
        os.write(2, b"stopped\n")
    os._exit(_INTERRUPTED)
