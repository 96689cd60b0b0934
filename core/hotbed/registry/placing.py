"""Where versions are checked out: under the home, and elsewhere where that cannot be written."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

__all__ = ["cannot_write", "places"]

_REFUSED = frozenset({errno.EROFS, errno.EACCES, errno.EPERM})


def places(cache: Path) -> Iterator[Path]:
    """Where a version may be checked out, the first that can be written.

    After the home come the user's cache folder and, for users who have none that can be written, a
    folder of their own among the temporary files. Every file is compared with its digest there too.
    """
    from platformdirs import user_cache_path

    yield cache
    with contextlib.suppress(RuntimeError):  # a user without a home
        yield user_cache_path("hotbed", appauthor=False) / "registered"
    if (own := _own_temporary()) is not None:
        yield own


def cannot_write(error: OSError) -> bool:
    """Whether an error says that a place is for reading only."""
    return error.errno in _REFUSED


def _own_temporary() -> Path | None:
    """A folder that nobody else can write; None where somebody else has its name."""
    owner = os.getuid() if hasattr(os, "getuid") else "user"
    path = Path(tempfile.gettempdir()) / f"hotbed-registered-{owner}"
    try:
        path.mkdir(mode=0o700, exist_ok=True)
        found = path.lstat()
    except OSError:
        return None
    if not hasattr(os, "getuid"):
        return path
    private = stat.S_ISDIR(found.st_mode) and not found.st_mode & 0o077
    return path if private and found.st_uid == os.getuid() else None
