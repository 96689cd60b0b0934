"""Run several batches side by side, on one pool of threads for the whole process.

An engine that splits each operator over all threads makes them wait for one another at every
operator; an engine that runs whole batches side by side, one thread each, does not. For a model as
small as MiniLM the second is faster, the more so on many cores or on busy ones
(docs/performance.md). One pool, because two embedders in a process share one budget of threads.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

__all__ = ["LEAST_BATCHES", "side_by_side"]

LEAST_BATCHES = 2
"""Batches a lane must have before lanes are used: with fewer, some would stand idle."""

T = TypeVar("T")
R = TypeVar("R")


@functools.cache
def _pool(process: int, lanes: int) -> ThreadPoolExecutor:
    """A pool for this process; threads do not survive a fork, so the child gets its own."""
    return ThreadPoolExecutor(lanes, thread_name_prefix="hotbed-lane")


def side_by_side(work: Callable[[T], R], items: Iterable[T], lanes: int) -> Iterator[R]:
    """Apply ``work`` to each item, ``lanes`` at a time; results in the items' order.

    The first error stops what has not begun, and is raised once what has begun is over.
    """
    futures: list[Future[R]] = [_pool(os.getpid(), lanes).submit(work, item) for item in items]
    try:
        for future in futures:
            yield future.result()
    finally:
        for future in futures:
            future.cancel()
