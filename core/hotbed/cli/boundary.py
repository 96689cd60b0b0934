"""The last boundary: whatever a command raises becomes one message and an exit code."""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import sys
import threading
import warnings
from collections.abc import Sequence
from typing import Any

import typer

from hotbed.cli.app import app, build_command
from hotbed.cli.console import complain, errors, out, show_warning
from hotbed.cli.streams import flush_output, forget_output, prepare_streams
from hotbed.errors import HotbedError, SettingsError, UsageError

__all__ = ["FAILED", "FAULT", "INTERRUPTED", "WRONG", "call", "explain"]

FAILED, WRONG, FAULT, INTERRUPTED = 1, 2, 70, 130
"""Exit codes: it could not be done, asked for wrongly, a fault of hotbed (as ``sysexits.h`` has
it), stopped by Ctrl-C. docs/command-line.md has the table."""

_log = logging.getLogger("hotbed")


def call(arguments: Sequence[str]) -> int:
    """Run one command; never raises.

    Args:
        arguments: What stands behind ``hotbed``.

    Returns:
        The exit code.
    """
    prepare_streams()
    warnings.showwarning = show_warning
    threading.excepthook = _note_thread
    sys.unraisablehook = _note_unraisable
    try:
        code = _invoke(arguments)
        flush_output()
    except BaseException as error:
        with contextlib.suppress(OSError):  # standard error may be a pipe that nobody reads
            return explain(error, arguments)
        return FAILED
    return code


def _invoke(arguments: Sequence[str]) -> int:
    if "_HOTBED_COMPLETE" in os.environ:  # a shell asks what could stand here
        app()
    command = build_command()
    try:
        with command.make_context("hotbed", list(arguments)) as context:
            command.invoke(context)
    except typer.Exit as ended:
        return ended.exit_code
    return 0


def explain(error: BaseException, arguments: Sequence[str]) -> int:
    """Say what happened in a line, and give the code for it."""
    _log.debug("the error in full", exc_info=error)
    if isinstance(error, KeyboardInterrupt | typer.Abort):
        errors.print("stopped")
        return INTERRUPTED
    if isinstance(error, BrokenPipeError):  # the reader went away, as `| head` does
        forget_output()
        return FAILED
    if hasattr(error, "format_message"):
        return _explain_usage(error)
    code, message = _in_words(error, arguments)
    if isinstance(error, OSError):
        forget_output()  # it may be what failed
    complain(message)
    return code


def _explain_usage(error: Any) -> int:
    """What typer found wrong with the arguments; their text is somebody's."""
    context = getattr(error, "ctx", None)
    message = error.format_message()
    if type(error).__name__ == "NoArgsIsHelpError":  # typer has shown the help by now
        out.print(message, end="")
        return WRONG
    complain(message)
    if context is not None:
        errors.print(f"`{context.command_path} --help` shows what can stand here", style="dim")
    return WRONG


def _in_words(error: BaseException, arguments: Sequence[str]) -> tuple[int, str]:
    if isinstance(error, HotbedError):
        return WRONG if isinstance(error, UsageError | SettingsError) else FAILED, str(error)
    if isinstance(error, UnicodeError) and (odd := _not_utf8(arguments)):
        return WRONG, f"the argument {odd} is not UTF-8, and has to be here"
    if isinstance(error, OSError):
        return FAILED, _os_error(error)
    if isinstance(error, MemoryError):
        return FAILED, f"there is not enough memory for this: {error or 'an allocation failed'}"
    if isinstance(error, RecursionError):
        return FAILED, "something that was given is nested too deep: a path, or brackets in a file"
    kind = type(error).__name__
    if isinstance(error, Warning):  # Python was told to make errors of them
        return FAILED, str(error)
    if isinstance(error, SystemExit):
        return FAILED, f"something that ran here wanted to end the process ({kind}: {error})"
    first = (str(error).strip().splitlines() or ["no message"])[0]
    return FAULT, (
        f"{kind}: {first}; this is a fault of hotbed, please report it; `hotbed -vv …` shows the "
        f"traceback"
    )


def _not_utf8(arguments: Sequence[str]) -> str:
    for one in arguments:
        try:
            one.encode()
        except UnicodeEncodeError:
            return one
    return ""


def _os_error(error: OSError) -> str:
    reason = error.strerror or str(error) or type(error).__name__
    files = " → ".join(str(os.fsdecode(name)) for name in _names(error))
    if error.errno == errno.ENOSPC and not files:
        return f"{reason}: what was to be written is not complete"
    return f"{files}: {reason}" if files else reason


def _names(error: OSError) -> list[Any]:
    names = [error.filename, error.filename2]
    return [name for name in names if isinstance(name, str | bytes) and name]


def _note_thread(arguments: threading.ExceptHookArgs) -> None:
    name = arguments.thread.name if arguments.thread else "a thread"
    _note(f"{name} ended with {arguments.exc_type.__name__}: {arguments.exc_value}", arguments)


def _note_unraisable(arguments: Any) -> None:
    _note(f"ignored {arguments.exc_type.__name__}: {arguments.exc_value}", arguments)


def _note(line: str, arguments: Any) -> None:
    """One line of what nobody can catch; -vv shows where it happened."""
    found = (arguments.exc_type, arguments.exc_value, arguments.exc_traceback)
    with contextlib.suppress(OSError):
        errors.print(f"warning: {line}", style="yellow")
        _log.debug("the error in full", exc_info=found if found[1] else None)
