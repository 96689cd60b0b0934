"""Read one JSON file of a model folder, with errors that say what is wrong with which file.

This is the one place where such a file is opened. Strangers wrote it: only a regular file of a
sensible size is read, and nothing that Python's reader takes and JSON has not is let through.
"""

from __future__ import annotations

import json
import os
import re
import stat
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NoReturn

from hotbed.errors import CorruptFileError, MissingFileError
from hotbed.models.damage import is_lfs_pointer, lfs_advice, reason_of

__all__ = [
    "MAX_BYTES",
    "is_there",
    "parse_json",
    "read_bytes",
    "read_object",
    "read_value",
    "require_regular",
]

MAX_BYTES = 16 * 2**20
"""A configuration has some kilobytes; an index of shards, or added tokens, some megabytes."""

_MAX_DEPTH = 64
"""Configurations nest five deep. Python's reader gives up at its recursion limit, C code later."""

_BRACKETS = re.compile(r'"(?:[^"\\]|\\.)*"|[\[\]{}]', re.DOTALL)
_SHOWN = 60


def is_there(path: Path) -> bool:
    """Whether there is such a file.

    Raises:
        CorruptFileError: There is a link of that name which leads nowhere, or in a circle.
    """
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        if not os.path.lexists(path):
            return False
        raise CorruptFileError(
            f"{path} is a link that leads nowhere; download or copy the model again"
        ) from None
    except (OSError, ValueError) as error:
        raise CorruptFileError(f"{path} cannot be read: {reason_of(error)}") from error
    return True


def require_regular(path: Path) -> None:
    """Refuse what has a file's name and is none; opening a pipe would wait for a writer.

    Raises:
        MissingFileError: There is no such file.
        CorruptFileError: It is a folder, a pipe, a device, or a link that leads nowhere.
    """
    if not is_there(path):
        raise MissingFileError(f"{path} is not there")
    try:
        _refuse_irregular(path, path.stat(), sys.maxsize)
    except OSError as error:
        raise CorruptFileError(f"{path} cannot be read: {reason_of(error)}") from error


def read_bytes(path: Path, *, max_bytes: int = MAX_BYTES) -> bytes:
    """Read a whole regular file.

    Raises:
        MissingFileError: There is no such file.
        CorruptFileError: It is a folder, a pipe or a device, too large, or cannot be read.
    """
    if not is_there(path):
        raise MissingFileError(
            f"{path.name} is missing from {path.parent}; a model folder needs it. "
            f"Save the model again with save_pretrained(), or download it again"
        )
    try:
        # Looked at before it is opened: opening a pipe waits for a writer.
        _refuse_irregular(path, path.stat(), max_bytes)
        with path.open("rb") as file:
            content = file.read(max_bytes + 1)
    except OSError as error:
        raise CorruptFileError(f"{path} cannot be read: {reason_of(error)}") from error
    if len(content) > max_bytes:
        raise _too_large(path, len(content), max_bytes)
    return content


def _refuse_irregular(path: Path, found: os.stat_result, max_bytes: int) -> None:
    if not stat.S_ISREG(found.st_mode):
        kind = "a folder" if stat.S_ISDIR(found.st_mode) else "a pipe, a socket or a device"
        raise CorruptFileError(f"{path} is {kind}, not a file")
    if found.st_size > max_bytes:
        raise _too_large(path, found.st_size, max_bytes)


def _too_large(path: Path, size: int, max_bytes: int) -> CorruptFileError:
    return CorruptFileError(
        f"{path} has {size:,} bytes; hotbed reads at most {max_bytes:,} of a file of this name"
    )


def read_value(path: Path) -> Any:
    """Read any JSON value.

    Raises:
        MissingFileError: There is no such file.
        CorruptFileError: It is empty, not text, not JSON, too large, or nested too deeply.
    """
    content = read_bytes(path)
    if is_lfs_pointer(content):
        raise CorruptFileError(lfs_advice(path))
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise CorruptFileError(f"{path} is not UTF-8 text: {error}") from error
    return parse_json(text, path)


def parse_json(text: str, path: Path) -> Any:
    """Parse the text of a JSON file.

    Args:
        text: The text.
        path: Where it comes from, for messages.

    Raises:
        CorruptFileError: It is empty, not JSON, nested too deeply, or has one key twice with two
            values.
    """
    if text.startswith("\ufeff"):
        raise CorruptFileError(
            f"{path} starts with a byte order mark, which JSON has not; save it as UTF-8 without"
        )
    if not text.strip():
        raise CorruptFileError(f"{path} is empty; download or save it again")
    _refuse_deep(text, path)
    try:
        return json.loads(text, object_pairs_hook=_unique, parse_constant=_refuse_constant)
    except json.JSONDecodeError as error:
        raise CorruptFileError(
            f"{path} is not JSON ({error}); it may have been cut off: download or save it again"
        ) from error
    except RecursionError as error:  # little of the caller's stack was left
        raise CorruptFileError(f"{path} is nested too deeply to be read") from error
    except ValueError as error:
        raise CorruptFileError(f"{path} cannot be used: {error}") from error


def read_object(path: Path, *, required: bool = True) -> dict[str, Any]:
    """Read a JSON object; ``{}`` where the file is absent and not required."""
    if not required and not is_there(path):
        return {}
    value = read_value(path)
    if not isinstance(value, dict):
        raise CorruptFileError(f"{path} holds a JSON {type(value).__name__}, not an object")
    return value


def _refuse_deep(text: str, path: Path) -> None:
    if text.count("[") + text.count("{") <= _MAX_DEPTH:
        return
    depth = 0
    for match in _BRACKETS.finditer(text):
        mark = match[0]
        depth += (mark in "[{") - (mark in "]}")
        if depth > _MAX_DEPTH:
            raise CorruptFileError(
                f"{path} is nested more than {_MAX_DEPTH} deep, which no configuration is"
            )


def _unique(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found and found[key] != value:
            raise ValueError(
                f"the key {key[:_SHOWN]!r} is there twice, with {found[key]!r:.{_SHOWN}} and "
                f"{value!r:.{_SHOWN}}; readers differ in which one counts"
            )
        found[key] = value
    return found


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number in JSON")
