"""What lies below a folder, to be compared with what lay there before."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Any

__all__ = ["Snapshot", "copy_shallow", "differences", "disk_size", "snapshot"]

Snapshot = dict[str, tuple[Any, ...]]

_KEPT = 1 << 24
"""Bytes of a file that are kept of it; a giant is as many zeros as anybody likes."""


def snapshot(folder: Path) -> Snapshot:
    """Every entry below a folder, as far as a change of it shows; links are not followed."""
    found: Snapshot = {}
    for root, folders, files in os.walk(folder):
        for name in (*folders, *files):
            path = Path(root) / name
            info = path.lstat()
            own: tuple[Any, ...] = (info.st_mode, info.st_ino)
            if not stat.S_ISDIR(info.st_mode):
                own += (info.st_size, info.st_mtime_ns)
            found[path.relative_to(folder).as_posix()] = own
    return found


def differences(before: Snapshot, after: Snapshot) -> list[str]:
    """The first ten entries that came, went or changed."""
    changed = {name for name in before.keys() & after.keys() if before[name] != after[name]}
    return sorted(changed | (before.keys() ^ after.keys()))[:10]


def disk_size(folder: Path) -> int:
    """Bytes on disk below a folder."""
    return sum(
        (Path(root) / name).lstat().st_blocks * 512
        for root, _, files in os.walk(folder)
        for name in files
    )


def copy_shallow(source: str, target: str) -> None:
    """Copy an ordinary file, or the front of a giant; pipes are left out."""
    if stat.S_ISREG(Path(source).lstat().st_mode):
        with Path(source).open("rb") as one, Path(target).open("wb") as other:
            other.write(one.read(_KEPT))
