"""Long lists run in batches side by side, and nobody can tell from the vectors."""

from __future__ import annotations

import threading
from pathlib import Path

import attrs
import numpy as np
import pytest

import hotbed
from hotbed.errors import ClosedError
from hotbed.inference.embedder import Embedder
from hotbed.testing import TEXTS

MANY = [f"{text} {word}" for text in TEXTS for word in ("cat", "dog", "red fish") * 20]


@pytest.fixture
def laned(tiny: Path) -> Embedder:
    """A model on four threads, with batches so small that many texts are many batches."""
    model = hotbed.load(tiny, threads=4)
    runner = model._open()
    runner.loaded = attrs.evolve(runner.loaded, token_budget=32)
    return model


@pytest.mark.filterwarnings("ignore::hotbed.HotbedWarning")
def test_lanes_give_the_same_bytes_as_one_batch_after_another(laned: Embedder, tiny: Path) -> None:
    """480 texts on four lanes equal the same texts on one thread, bit for bit."""
    with laned, hotbed.load(tiny, threads=1) as single:
        assert (laned.loaded.lanes, single.loaded.lanes) == (4, 1)
        runner = single._open()
        runner.loaded = attrs.evolve(runner.loaded, token_budget=32)
        np.testing.assert_array_equal(laned.encode(MANY), single.encode(MANY))


@pytest.mark.filterwarnings("ignore::hotbed.HotbedWarning")
def test_the_second_session_is_opened_when_it_is_needed(laned: Embedder) -> None:
    """A short text opens no session of one thread; a long list does, once."""
    handle = laned.loaded.handle
    seen = []
    for texts in ("cat", MANY, MANY):
        laned.encode(texts)
        seen.append(handle._lane)
    assert seen[0] is None
    assert seen[1] is not None
    assert seen[2] is seen[1]
    laned.close()
    assert handle._lane is None


@pytest.mark.filterwarnings("ignore::hotbed.HotbedWarning")
def test_closing_in_the_middle_is_a_clear_error(laned: Embedder) -> None:
    """A call that loses its model raises ClosedError, or was done before; it does not hang."""
    outcomes: list[object] = []

    def call() -> None:
        try:
            outcomes.append(laned.encode(MANY * 20).shape)
        except ClosedError as error:
            outcomes.append(error)

    thread = threading.Thread(target=call)
    thread.start()
    laned.close()
    thread.join(60)
    assert not thread.is_alive()
    assert len(outcomes) == 1
    assert isinstance(outcomes[0], ClosedError) or outcomes[0] == (len(MANY) * 20, 32)
