"""A model's life: shared by threads, closed, opened again, in another process, many times."""

from __future__ import annotations

import multiprocessing
import sys
import warnings
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from hotbed.backends.engine import Engine
from hotbed.errors import ClosedError, HotbedWarning
from hotbed.inference.embedder import Embedder
from hotbed.loading import House
from hotbed.testing.cases import Case
from hotbed.testing.gaps import Gap
from hotbed.testing.opening import OpeningSuite
from hotbed.testing.tiny import TEXTS
from hotbed.testing.tolerance import assert_close

__all__ = ["LifeTests"]

_WORDS = ("cat", "dog", "bread", "water", "stone", "moon", "star", "river")
_TURNS = 12
_WARM_UP = 50
_LOADS = 200
_LEAK = 80_000
"""Bytes a load that may stay: less than the smallest model of the kit holds."""


class LifeTests(OpeningSuite):
    """Handles are safe to share, and what is closed is gone."""

    def test_eight_threads_give_the_single_threaded_result(self, model: Embedder) -> None:
        """One embedder serves eight threads, each with texts of its own.

        Else the handle is not safe to share: give each call a session or request of its own, or
        hold a lock around the engine.
        """
        # Texts of one shape, so that a race swaps values and not shapes.
        texts = [[f"{word} {word} {word}", word] for word in _WORDS]
        expected = [model.encode(pair) for pair in texts]
        with ThreadPoolExecutor(len(texts)) as pool:
            for _ in range(_TURNS):
                for found, wanted in zip(pool.map(model.encode, texts), expected, strict=True):
                    assert_close(model.loaded.dtype, found, wanted)

    def test_close_twice_and_load_again(self, runnable: Case, folder: Path) -> None:
        """A closed model refuses to work, closes again without harm, and opens again."""
        first = self.open(runnable, folder)
        expected = first.encode("bread")
        first.close()
        first.close()
        with pytest.raises(ClosedError):
            first.encode("bread")
        with self.open(runnable, folder) as again:
            np.testing.assert_array_equal(again.encode("bread"), expected)

    def test_two_models_at_once(self, runnable: Case, folder: Path, model: Embedder) -> None:
        """Closing one model leaves another of the same file open.

        Else the two share something that ``hotbed_close`` frees.
        """
        expected = model.encode("bread")
        self.open(runnable, folder).close()
        np.testing.assert_array_equal(model.encode("bread"), expected)

    def test_a_spawned_process_opens_it_again(self, model: Embedder) -> None:
        """Sent to a spawned process, an embedder opens its model there and gives the same.

        Else loading depends on what only this process has done: read it from the artifact.
        """
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(1, mp_context=context) as pool:
            found = pool.submit(_encode, model, list(TEXTS)).result(timeout=120)
        assert_close(model.loaded.dtype, found, model.encode(list(TEXTS)))

    @pytest.mark.hotbed_heavy
    def test_loads_and_closes_leave_nothing(
        self, house: House, engine: Engine, runnable: Case, model: Embedder
    ) -> None:
        """200 loads and closes keep less than a model's memory each.

        Else ``hotbed_close`` leaves the session, or a cache of the module holds it.
        """
        artifact, options = self.artifact(house, model), self.load_options(runnable)
        runner = model._open()
        batch = runner.tokenizer.batch(runner.tokenize(["bread"], ""), np.arange(1))

        def once() -> None:
            loaded = engine.load(artifact, options)
            engine.embed(loaded, batch, loaded.outputs[:1])
            engine.close(loaded)

        for _ in range(_WARM_UP):
            once()
        before = _peak()
        for _ in range(_LOADS):
            once()
        assert (_peak() - before) / _LOADS < _LEAK


def _encode(model: Embedder, texts: list[str]) -> NDArray[np.float32]:
    """Run in the child: the embedder came as its name and options."""
    warnings.simplefilter("ignore", HotbedWarning)  # one of the texts is over-long on purpose
    vectors: NDArray[np.float32] = model.encode(texts)
    return vectors


def _peak() -> int:
    """The most memory that this process has held, in bytes."""
    if sys.platform == "win32":
        raise Gap("the memory check reads getrusage, which Windows does not have")
    import resource

    used: int = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return used * (1 if sys.platform == "darwin" else 1024)
