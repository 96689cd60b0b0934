"""Sessions that came through a fork are not freed in the child.

Freeing a session waits for its threads, and those stayed with the parent: the child would wait for
ever, when it opens the model again or lets go of it.
"""

from __future__ import annotations

import ctypes
import os
import weakref
from typing import Any

__all__ = ["keep_in_children"]

_SESSIONS: weakref.WeakSet[Any] = weakref.WeakSet()


def keep_in_children(session: Any) -> None:
    """Remember a session, so that a forked child leaves it alone."""
    _SESSIONS.add(session)


def _keep() -> None:
    for session in list(_SESSIONS):
        # One reference more than anybody will give back.
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(session))


if hasattr(os, "register_at_fork"):  # Windows does not fork
    os.register_at_fork(after_in_child=_keep)
