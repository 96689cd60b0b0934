"""Damage that disks, crashes and people do to files."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from hotbed.registry import Registry

__all__ = ["DAMAGES", "cut", "damaged", "empty", "flip", "zero"]


def flip(path: Path) -> None:
    """Change one byte in the middle."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0x40
    path.write_bytes(content)


def cut(path: Path) -> None:
    """Lose the last byte."""
    path.write_bytes(path.read_bytes()[:-1])


def zero(path: Path) -> None:
    """Become zeros, as after a crash of some file systems."""
    path.write_bytes(b"\0" * path.stat().st_size)


def empty(path: Path) -> None:
    """Become empty."""
    path.write_bytes(b"")


DAMAGES = (flip, cut, zero, empty)


def damaged(
    registry: Registry,
    name: str,
    damage: Callable[[Path], None],
    keep: bool = False,
    version: str = "support",
) -> str:
    """Damage a blob where it lies; with ``keep`` its times stay as they were. Gives its digest."""
    entry = next(e for e in registry.manifest(version).files if e.path == name)
    path = registry.store.blobs.local(entry.sha256)
    assert path is not None
    before = path.stat()
    path.chmod(0o644)
    damage(path)
    if keep:
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    return entry.sha256
