"""Pack texts of similar length into batches of bounded padded size."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

__all__ = ["pack"]


def pack(
    counts: NDArray[np.int64], budget: int, max_rows: int | None = None
) -> Iterator[NDArray[np.int64]]:
    """Split texts into batches, longest texts first.

    Texts are ordered by token count, so that a batch holds texts of nearly one length, and a batch
    is closed when one more row would make rows × longest exceed ``budget``. Longest first: memory
    is claimed once, at its largest, and a progress bar speeds up instead of slowing down.

    Args:
        counts: Tokens of each text, (n,) int64.
        budget: Padded tokens in one batch. A text longer than that is a batch of its own.
        max_rows: Texts in one batch at most.

    Yields:
        Positions of the texts of one batch, (rows,) int64; each position once.
    """
    order = np.argsort(-counts, kind="stable")
    start = 0
    while start < len(order):
        longest = max(1, int(counts[order[start]]))
        rows = max(1, budget // longest)
        if max_rows is not None:
            rows = min(rows, max_rows)
        yield order[start : start + rows]
        start += rows
