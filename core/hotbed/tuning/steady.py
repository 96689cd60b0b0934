"""How long a pass would take in the middle of a long list, where no lane waits for the end.

A long list keeps every lane busy until its last batches. A pass of a second or so holds a few
batches for each lane, and at its end some lanes stand idle: eleven batches on two lanes take as
long as twelve. That would speak for small batches, and says nothing of long lists.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np
from attrs import define, field
from numpy.typing import NDArray

from hotbed.inference.batching import pack
from hotbed.inference.lanes import LEAST_BATCHES
from hotbed.inference.progress import Progress
from hotbed.inference.runner import Runner

__all__ = ["Stamps", "batch_sizes", "fills_lanes", "steady_seconds", "time_pass"]


@define
class Stamps(Progress):
    """Notes when each batch was done; batches are counted in order, as ``Progress`` is told."""

    total: int | None = None
    show: bool | None = False
    stamps: list[float] = field(factory=list)

    def advance(self, count: int) -> None:
        """A batch of so many texts is done."""
        self.stamps.append(time.perf_counter())


def batch_sizes(counts: NDArray[np.int64], budget: int) -> list[int]:
    """Padded tokens of each batch, in the order in which batches run."""
    return [len(rows) * max(1, int(counts[rows].max())) for rows in pack(counts, budget)]


def fills_lanes(batches: int, lanes: int) -> bool:
    """Whether so many batches are enough to run side by side, or to be called several."""
    return batches >= LEAST_BATCHES * max(1, lanes)


def time_pass(runner: Runner, texts: Sequence[str]) -> tuple[float, NDArray[np.float32]]:
    """Embed texts as ``encode`` does; seconds as in the middle of a long list, and the vectors."""
    watch = Stamps()
    start = time.perf_counter()
    tokens = runner.tokenize(texts, "")
    vectors = runner.sentences(tokens, None, watch)
    sizes = batch_sizes(tokens.counts, runner.loaded.token_budget)
    return steady_seconds(start, watch.stamps, sizes, runner.loaded.lanes), vectors


def steady_seconds(
    start: float, stamps: Sequence[float], sizes: Sequence[int], lanes: int
) -> float:
    """Seconds of the whole pass at the rate it had before lanes ran out of batches.

    Args:
        start: When it began.
        stamps: When each batch was done, in order.
        sizes: Padded tokens of each batch.
        lanes: How many ran side by side, when there were enough.
    """
    count = len(stamps)
    if lanes > 1 and fills_lanes(count, lanes):
        # Whole turns of all lanes; the last batch, which may be small, is never among them.
        count = (count - 1) // lanes * lanes
    return (stamps[count - 1] - start) * sum(sizes) / sum(sizes[:count])
