"""Loaded models that deployments share, within one budget of memory and one of threads.

A model is *held* by the deployments that may call it and *pinned* by each call that runs. Nothing
that is pinned is ever closed. What nobody holds is closed with its last call; beyond the budget
what was called longest ago is closed, and loaded again by the next call.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import logging
import os
import threading
from collections import deque
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager

from attrs import define, field

from hotbed.backends.memory import memory_quota
from hotbed.inference.embedder import Embedder
from hotbed.settings import load_settings

__all__ = ["Held", "ModelPool", "RetiredError", "default_pool"]

_log = logging.getLogger("hotbed.deployment")

_UNTOLD = 4 << 30
"""Bytes that are taken for this process's share where the system tells nothing."""

Open = Callable[[], Embedder]


class RetiredError(Exception):
    """A model was let go of between being looked up and being called: look it up again."""


@define(eq=False)
class Held:
    """A model that a pool keeps: loaded when it is called, closed when the pool says so.

    Attributes:
        key: What it is, for sharing.
        open: Loads it.
        holders: Deployments that may call it.
        pins: Calls that run.
        used: When it was called last, as a count of calls of the pool.
        nbytes: What it holds in memory; kept after it was closed.
        embedder: The model; None while it is not loaded.
        loading: Held by whoever loads it, so that the others wait.
    """

    key: Hashable
    open: Open
    holders: int = 0
    pins: int = 0
    used: int = 0
    nbytes: int = 0
    embedder: Embedder | None = None
    loading: threading.Lock = field(factory=threading.Lock)


class ModelPool:
    """Models of one process, kept within a budget.

    >>> pool = ModelPool(memory=2_000_000_000, threads=4)

    Args:
        memory: Bytes; None takes the settings' (``HOTBED_MEMORY``), and without one half of what
            this process may use. Models that are being called stay, whatever the budget says.
        threads: Threads of one call, of whatever model; None follows the CPU quota.
    """

    def __init__(self, *, memory: int | None = None, threads: int | None = None) -> None:
        if memory is None:
            memory = load_settings().memory
        self.memory = (memory_quota() or _UNTOLD) // 2 if memory is None else memory
        self.threads = threads
        self._calls = itertools.count(1)
        self._begin()

    def _begin(self) -> None:
        """Everything that does not survive a fork: held locks, and sessions with threads."""
        self._process = os.getpid()
        self._lock = threading.Lock()
        self._models: dict[Hashable, Held] = {}
        self._abandoned: deque[Held] = deque()

    def hold(self, key: Hashable, opener: Open) -> Held:
        """Hold a model; it is not loaded before somebody calls it.

        Args:
            key: Holders of one key share one model.
            opener: Loads it.
        """
        if self._process != os.getpid():
            self._begin()
        with self._lock:
            held = self._models.setdefault(key, Held(key, opener))
            held.holders += 1
            return held

    def abandon(self, held: Held) -> None:
        """Let go of a model soon: for finalizers, which may run while this thread has the lock."""
        self._abandoned.append(held)

    def reap(self) -> None:
        """Let go of what was abandoned."""
        while self._abandoned:
            with contextlib.suppress(IndexError):  # another thread was quicker
                self.release(self._abandoned.popleft())

    def release(self, held: Held) -> None:
        """Let go of a model: the last holder closes it, once no call runs any more."""
        with self._lock:
            held.holders -= 1
            if not held.holders and self._models.get(held.key) is held:
                del self._models[held.key]
            gone = _taken(held) if not held.holders and not held.pins else None
        if gone is not None:
            gone.close()

    @contextmanager
    def use(self, held: Held) -> Iterator[Embedder]:
        """Load a model if need be, and keep it loaded while the block runs.

        Raises:
            RetiredError: Nobody holds it any more.
            HotbedError: It cannot be loaded.
        """
        self.reap()
        embedder = self._pin(held)
        try:
            yield embedder
        finally:
            self._unpin(held)

    @property
    def nbytes(self) -> int:
        """Bytes of the models that are loaded and held."""
        with self._lock:
            return sum(held.nbytes for held in self._models.values() if held.embedder is not None)

    def loaded(self) -> int:
        """How many models are loaded and held."""
        with self._lock:
            return sum(held.embedder is not None for held in self._models.values())

    def _pin(self, held: Held) -> Embedder:
        with self._lock:
            if not held.holders:
                raise RetiredError
            held.pins += 1
            held.used = next(self._calls)
            if held.embedder is not None:
                return held.embedder
        try:
            return self._load(held)
        except BaseException:
            self._unpin(held)
            raise

    def _load(self, held: Held) -> Embedder:
        with held.loading:
            if held.embedder is not None:  # who had the lock before has loaded it
                return held.embedder
            embedder = held.open()
            with self._lock:
                held.embedder, held.nbytes = embedder, _size(embedder)
                gone = self._beyond_budget()
        for other in gone:
            other.close()
        return embedder

    def _unpin(self, held: Held) -> None:
        with self._lock:
            held.pins -= 1
            gone = self._beyond_budget()
            if not held.holders and not held.pins:
                gone += filter(None, [_taken(held)])
        for embedder in gone:
            embedder.close()

    def _beyond_budget(self) -> list[Embedder]:
        """Take what was called longest ago, until the rest fits; what is being called stays."""
        here = [held for held in self._models.values() if held.embedder is not None]
        total, gone = sum(held.nbytes for held in here), []
        for held in sorted(here, key=lambda held: held.used):
            if total <= self.memory:
                break
            if not held.pins and (embedder := _taken(held)) is not None:
                _log.info("%s is unloaded: %d bytes are loaded", embedder, total)
                total -= held.nbytes
                gone.append(embedder)
        return gone


def _taken(held: Held) -> Embedder | None:
    embedder, held.embedder = held.embedder, None
    return embedder


def _size(embedder: Embedder) -> int:
    """Bytes of a model's weights; of its files where the backend does not tell."""
    if embedder.loaded.nbytes is not None:
        return embedder.loaded.nbytes
    route = embedder.decision.chosen.route if embedder.decision.chosen else None
    if route is None:
        return 0
    folder = embedder.folder
    files = [folder.path / name for name in (route.variant.file, *folder.companions(route.variant))]
    return sum(path.stat().st_size for path in files if path.exists())


@functools.cache
def default_pool() -> ModelPool:
    """The pool that deployments of this process share."""
    return ModelPool()
