"""``HOTBED_TRACE=1``: each hook call with its backend and its time, on standard error."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any

import pluggy

from hotbed.escaping import escape_line, shorten

__all__ = ["trace_calls"]


def trace_calls(manager: pluggy.PluginManager, backend: str) -> None:
    """Print every hook call that goes through a plugin manager.

    ``backend hook milliseconds``, and the error where there was one. Calls may nest and come from
    several threads, so each thread keeps the times of its own calls.
    """
    begun = threading.local()

    def before(name: str, methods: Sequence[Any], arguments: Mapping[str, Any]) -> None:
        if not hasattr(begun, "at"):
            begun.at = []
        begun.at.append(time.perf_counter())

    def after(
        outcome: pluggy.Result[Any],
        name: str,
        methods: Sequence[Any],
        arguments: Mapping[str, Any],
    ) -> None:
        spent = (time.perf_counter() - begun.at.pop()) * 1e3
        error = outcome.exception
        failed = f"  {type(error).__name__}: {error}" if error is not None else ""
        about = _about(arguments)
        line = f"hotbed: {backend}  {name}{about}  {spent:.3f} ms{failed}"
        sys.stderr.write(f"{escape_line(shorten(line))}\n")

    manager.add_hookcall_monitoring(before, after)


def _about(arguments: Mapping[str, Any]) -> str:
    """What tells one call from the next: the batch's shape, the file, the question."""
    if "batch" in arguments:
        rows, tokens = arguments["batch"].input_ids.shape
        return f" {rows}×{tokens}"
    if "artifact" in arguments:
        return f" {arguments['artifact'].path.name}"
    if "request" in arguments:
        return f" {arguments['request'].action} on {arguments['request'].device}"
    return ""
