"""A pass is reckoned as if it stood in the middle of a long list."""

from __future__ import annotations

import heapq

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hotbed.inference.batching import pack
from hotbed.tuning.steady import Stamps, batch_sizes, fills_lanes, steady_seconds


def simulated(sizes: list[int], lanes: int) -> list[float]:
    """When each batch is done, in order, on lanes that take a second for a thousand tokens."""
    free = [10.0] * lanes
    done = []
    for size in sizes:
        start = heapq.heappop(free)
        heapq.heappush(free, start + size / 1000)
        done.append(start + size / 1000)
    return [max(done[: place + 1]) for place in range(len(done))]


@given(
    lanes=st.integers(1, 8),
    full=st.integers(2, 40),
    size=st.integers(200, 4000),
    last=st.floats(0.05, 1.0),
)
def test_the_size_of_batches_does_not_matter_by_itself(
    lanes: int, full: int, size: int, last: float
) -> None:
    """Lanes of one speed have one rate, whatever the batches and however many are left at the end.

    The oracle is the rate of the simulated lanes: ``lanes`` thousand tokens a second.
    """
    sizes = [size] * full + [max(1, round(size * last))]
    if not fills_lanes(len(sizes), lanes):
        return
    seconds = steady_seconds(10.0, simulated(sizes, lanes), sizes, lanes)
    assert seconds == pytest.approx(sum(sizes) / (1000 * lanes))


def test_the_wall_clock_would_have_said_otherwise() -> None:
    """Eleven batches on two lanes end after six turns; five and a half is their rate."""
    sizes = [1000] * 11
    stamps = simulated(sizes, 2)
    assert stamps[-1] - 10.0 == pytest.approx(6.0)
    assert steady_seconds(10.0, stamps, sizes, 2) == pytest.approx(5.5)


def test_one_after_the_other_is_the_wall_clock() -> None:
    """Without lanes, or with too few batches for them, the time is what the clock said."""
    assert steady_seconds(10.0, [11.0, 12.5], [100, 100], 1) == 2.5
    assert steady_seconds(10.0, [11.0, 12.5, 13.0], [100, 100, 50], 2) == 3.0


@given(st.lists(st.integers(1, 300), min_size=1, max_size=60), st.integers(1, 2048))
def test_sizes_are_those_of_the_batches_that_run(counts: list[int], budget: int) -> None:
    """One size for each batch of ``pack``; its budget holds but for a single long text."""
    array = np.array(counts, dtype=np.int64)
    sizes = batch_sizes(array, budget)
    assert len(sizes) == len(list(pack(array, budget)))
    assert sum(sizes) >= sum(counts)
    assert all(size <= max(budget, max(counts)) for size in sizes)


def test_stamps_are_taken_batch_by_batch() -> None:
    """Each call notes one moment, later than the one before."""
    stamps = Stamps()
    with stamps as progress:
        for rows in (3, 2, 1):
            progress.advance(rows)
    assert len(stamps.stamps) == 3
    assert stamps.stamps == sorted(stamps.stamps)
