"""Whose a file is: what a stranger could have written is not believed."""

from __future__ import annotations

import os
import stat
from pathlib import Path

__all__ = ["is_ours"]


def is_ours(path: Path) -> bool:
    """Whether only this user, or the administrator, can write a file and replace it.

    Raises:
        FileNotFoundError: It is not there.
    """
    return _guarded(path.stat()) and _guarded(path.parent.stat(), sticky=True)


def _guarded(found: os.stat_result, *, sticky: bool = False) -> bool:
    if os.name == "nt":  # no owners and modes of this kind
        return True
    open_to_all = found.st_mode & stat.S_IWOTH
    if sticky and found.st_mode & stat.S_ISVTX:  # as /tmp: others cannot replace what is mine
        return True
    return found.st_uid in (0, os.geteuid()) and not open_to_all
