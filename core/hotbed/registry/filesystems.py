"""Which kind of file system a folder is on: SQLite's locks are promises on a network's."""

from __future__ import annotations

import functools
from collections.abc import Iterable
from pathlib import Path

from hotbed.errors import RegistryError

__all__ = ["filesystem", "is_remote", "require_local"]

_REMOTE = frozenset({"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "afs", "lustre", "gpfs", "ceph"})
_REMOTE_FUSE = ("fuse.sshfs", "fuse.s3fs", "fuse.gcsfuse", "fuse.glusterfs", "fuse.rclone")


def require_local(folder: Path) -> None:
    """Refuse a network file system: its locks may let two writers in, which destroys the file.

    Raises:
        RegistryError: The folder is on one.
    """
    kind = filesystem(folder.resolve(), _mounts())
    if is_remote(kind):
        raise RegistryError(
            f"{folder} is on a network file system ({kind}), where SQLite's locks cannot be relied "
            f"on (sqlite.org/useovernet.html). Keep the database on a local disk, or use "
            f"postgresql://"
        )


def is_remote(kind: str) -> bool:
    """Whether a kind of file system is a network's, on which locks are promises."""
    return kind in _REMOTE or kind.startswith(_REMOTE_FUSE)


def filesystem(folder: Path, mounts: Iterable[tuple[str, str]]) -> str:
    """The kind of file system under a folder; ``""`` where the system does not tell.

    Args:
        folder: The folder.
        mounts: Where file systems are mounted, and their kinds.
    """
    found, longest = "", -1
    for point, kind in mounts:
        if folder.is_relative_to(point) and len(point) > longest:
            found, longest = kind, len(point)
    return found


@functools.cache
def _mounts() -> tuple[tuple[str, str], ...]:
    path = Path("/proc/self/mountinfo")
    if not path.exists():
        return ()
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    rows = [line.split(" ") for line in lines]
    return tuple(
        (row[4].encode().decode("unicode_escape"), row[row.index("-") + 1])
        for row in rows
        if "-" in row
    )
