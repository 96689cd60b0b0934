"""Space that is kept back beside a SQLite file, so that a full disk can be made less full.

SQLite writes before it frees: its files of locks, and what changes. Where not a byte is left even
``delete`` and ``gc`` could not run. So some space is taken while there is enough, and given back
when opening the database fails for want of it, or to what frees more.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

__all__ = ["keep_reserve", "lent_reserve"]

_SIZE = 1 << 20
"""Bytes: the locks take 32 kB, and deleting a version some 100 kB."""

_LEAST = 1 << 16
"""Bytes; what is kept back again on a full disk is less by so many at a time, down to this."""

_PLENTY = 4 * _SIZE
"""Bytes that are free where keeping back some does no harm."""


def keep_reserve(file: Path) -> None:
    """Keep some space back, where there is plenty and less is kept yet."""
    if not hasattr(os, "posix_fallocate"):
        return
    with contextlib.suppress(OSError):
        path = _path(file)
        kept = path.stat().st_size if path.exists() else 0
        if kept < _SIZE and shutil.disk_usage(file.parent).free >= _PLENTY:
            _take(path, _SIZE)


@contextlib.contextmanager
def lent_reserve(file: Path, *, only_if_full: bool = False) -> Iterator[bool]:
    """Give up what is kept back; gives whether there was any.

    What is left of it afterwards is kept back again at once, so that the next one finds it.

    Args:
        file: The SQLite file.
        only_if_full: Whether to do so only where less is free than is kept back.
    """
    path, size = _path(file), 0
    with contextlib.suppress(OSError):
        if not only_if_full or shutil.disk_usage(file.parent).free < _SIZE:
            size = path.stat().st_size
            path.unlink()
    try:
        yield size > 0
    finally:
        while size >= _LEAST and not _take(path, size):
            size -= _LEAST


def _take(path: Path, size: int) -> bool:
    """Have a file of that size, all of it really there; whether it is."""
    if not hasattr(os, "posix_fallocate"):
        return False
    try:
        with path.open("ab") as reserve:
            os.posix_fallocate(reserve.fileno(), 0, size)
    except OSError:
        with contextlib.suppress(OSError):
            path.unlink()
        return False
    return True


def _path(file: Path) -> Path:
    return file.with_name(f"{file.name}.reserve")
