"""The name of the user of this process, for the audit trail and for messages."""

from __future__ import annotations

import getpass
import os

__all__ = ["current_actor"]


def current_actor() -> str:
    """The user's name; ``uid:12345`` where that number has none, as in containers."""
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):  # KeyError until Python 3.12, OSError from 3.13 on
        return f"uid:{os.getuid()}" if hasattr(os, "getuid") else "unknown"
