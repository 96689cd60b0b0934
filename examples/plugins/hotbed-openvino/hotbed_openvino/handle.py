"""An open model: what was compiled of it, and its life through close and fork."""

from __future__ import annotations

import ctypes
import os
import threading
import weakref
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from hotbed.errors import ClosedError

__all__ = ["Handle"]


@dataclass(eq=False)
class Handle:
    """A model compiled for a lone batch, and at first need for batches side by side.

    A lone batch is split over all threads; of batches side by side each runs on one. Every call
    has a request of its own, which takes 15 µs to make, so calls share nothing.
    """

    inputs: dict[str, Any]
    outputs: dict[str, str]
    compile: Callable[[int], Any] | None
    alone: Any
    lanes: Any = None
    lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        _OPEN.add(self)

    def request(self, in_flight: int) -> Any:
        """A request for one of so many batches."""
        with self.lock:
            if self.compile is None:
                raise ClosedError("the model was closed")
            if in_flight == 1:
                return self.alone.create_infer_request()
            self.lanes = self.lanes or self.compile(in_flight)
            return self.lanes.create_infer_request()

    def close(self) -> None:
        """Let go of everything; a request that still runs holds what it needs."""
        with self.lock:
            self.compile = self.alone = self.lanes = None


_OPEN: weakref.WeakSet[Handle] = weakref.WeakSet()


def _keep_in_child() -> None:
    # Freeing what came through a fork waits for OpenVINO's threads, and those stayed with the
    # parent. So the child holds one reference more than anybody will give back.
    for handle in list(_OPEN):
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(handle))


if hasattr(os, "register_at_fork"):  # Windows does not fork
    os.register_at_fork(after_in_child=_keep_in_child)
