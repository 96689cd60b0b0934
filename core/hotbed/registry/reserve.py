"""Space that is kept back beside a SQLite file, so that a full disk can be made less full.

SQLite writes before it frees: its files of locks, and what changes. Where not a byte is left even
``delete`` and ``gc`` could not run. So some space is taken while there is enough, and given back
when opening the database fails for want of it, or to what frees more.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from pathlib import Path

__all__ = ["keep_reserve", "release_reserve"]

_SIZE = 1 << 20
"""Bytes: the locks take 32 kB, and deleting a version some 100 kB."""

_PLENTY = 4 * _SIZE
"""Bytes that are free where keeping back some does no harm."""


def keep_reserve(file: Path) -> None:
    """Keep some space back, where there is plenty and none is kept yet."""
    path = _path(file)
    if path.exists() or not hasattr(os, "posix_fallocate"):
        return
    with contextlib.suppress(OSError):
        if shutil.disk_usage(file.parent).free < _PLENTY:
            return
        with path.open("xb") as reserve:
            try:
                os.posix_fallocate(reserve.fileno(), 0, _SIZE)
            except OSError:
                path.unlink(missing_ok=True)


def release_reserve(file: Path, *, only_if_full: bool = False) -> bool:
    """Give the space back; whether there was any.

    Args:
        file: The SQLite file.
        only_if_full: Whether to do so only where less is free than is kept back.
    """
    try:
        if only_if_full and shutil.disk_usage(file.parent).free >= _SIZE:
            return False
        _path(file).unlink()
    except OSError:
        return False
    return True


def _path(file: Path) -> Path:
    return file.with_name(f"{file.name}.reserve")
