"""Pack texts of similar length into batches of bounded padded size."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

__all__ = ["ENOUGH", "pack"]

ENOUGH = 4
"""A batch ends with the last text of a length once it holds one part in so many of the budget:
without padding attention needs no mask, and smaller batches cost more than that saves
(docs/performance.md)."""


def pack(
    counts: NDArray[np.int64],
    budget: int,
    max_rows: int | None = None,
    *,
    one_length: bool = False,
) -> Iterator[NDArray[np.int64]]:
    """Split texts into batches, longest texts first.

    Texts are ordered by token count, so that a batch holds texts of nearly one length. A batch is
    closed when one more row would make rows × longest exceed ``budget``, and before that where the
    next text is shorter and the batch holds enough. Longest first: memory is claimed once, at its
    largest, and a progress bar speeds up instead of slowing down.

    Args:
        counts: Tokens of each text, (n,) int64.
        budget: Padded tokens in one batch. A text longer than that is a batch of its own.
        max_rows: Texts in one batch at most.
        one_length: Whether a batch is closed wherever the next text is shorter, however little it
            holds, so that nothing is ever padded.

    Yields:
        Positions of the texts of one batch, (rows,) int64; each position once.
    """
    order = np.argsort(-counts, kind="stable")
    ascending = -counts[order]
    start = 0
    while start < len(order):
        longest = max(1, -int(ascending[start]))
        rows = max(1, budget // longest)
        if max_rows is not None:
            rows = min(rows, max_rows)
        needed = 1 if one_length else -(-budget // (ENOUGH * longest))
        last = min(start + max(1, needed), len(order)) - 1
        # Where the texts as long as the last one needed end.
        alike = int(np.searchsorted(ascending, ascending[last], side="right"))
        rows = min(rows, alike - start)
        yield order[start : start + rows]
        start += rows
