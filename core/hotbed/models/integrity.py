"""Digests that hotbed wrote beside its files, compared when a model is loaded.

A flipped bit in a graph gives other vectors more often than an error. What was compared once is
remembered by path, inode, size and time of change, so that the next load reads nothing again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from attrs import frozen

from hotbed.models.digests import DigestCache, sha256

__all__ = ["Change", "changes", "file_digests"]


@frozen
class Change:
    """A file that is not as it was written.

    Attributes:
        name: The file.
        expected: The sha256 that was written down.
        found: The sha256 of what is there; ``"nothing"`` where the file is gone.
    """

    name: str
    expected: str
    found: str

    def __str__(self) -> str:
        return f"{self.name}: expected sha256 {self.expected}, found {self.found}"


def file_digests(folder: Path, *, without: Iterable[str] = ()) -> dict[str, str]:
    """File → sha256 of everything below a folder, for its record."""
    files = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*")}
    kept = {name: path for name, path in files.items() if path.is_file() and name not in without}
    return {name: sha256(path) for name, path in sorted(kept.items())}


def changes(
    folder: Path, written: Mapping[str, Any], names: Iterable[str], digests: DigestCache
) -> list[Change]:
    """What differs from what was written down; files that no digest is known of are passed over.

    Args:
        folder: Where the files lie.
        written: File → sha256, from a record.
        names: The files that matter. No other path of the record is opened.
        digests: Remembers digests of files.
    """
    wanted = {name: str(written[name]) for name in sorted(set(names)) if name in written}
    there = {name: folder / name for name in wanted if (folder / name).is_file()}
    found = digests.files(there.values()) if there else {}
    return [
        Change(name, expected, found[there[name]] if name in there else "nothing")
        for name, expected in wanted.items()
        if name not in there or found[there[name]] != expected
    ]
