"""The kinds of batches that an encoder may meet, as random token numbers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hotbed.backends import TokenBatch

__all__ = ["KINDS", "make_batch"]

_SPECIAL = 4
"""The tiny models' vocabularies start with so many special tokens."""

KINDS = ("right padding", "left padding", "one token", "longest", "all but one padding")
"""Names that ``make_batch`` knows."""


def make_batch(
    kind: str, *, vocab: int, longest: int, pad_id: int = 0, seed: int = 0
) -> TokenBatch:
    """Make a batch of random tokens.

    Args:
        kind: One of ``KINDS``.
        vocab: Rows of the word embeddings.
        longest: The most tokens that the model takes.
        pad_id: What stands on padding.
        seed: For the random numbers.
    """
    rng = np.random.default_rng(seed)
    counts: Sequence[int] = {
        "right padding": (longest // 2, 3, longest // 3, 1, longest // 2 - 1),
        "left padding": (longest // 2, 3, longest // 3, 1, longest // 2 - 1),
        "one token": (1, 1),
        "longest": (longest, longest),
        "all but one padding": (longest, 1, 1),
    }[kind]
    width = max(counts)
    ids = np.full((len(counts), width), pad_id, np.int64)
    for row, count in enumerate(counts):
        place = slice(width - count, width) if kind == "left padding" else slice(count)
        ids[row, place] = rng.integers(_SPECIAL, vocab, count)
    mask = (ids != pad_id).astype(np.int64)
    return TokenBatch(input_ids=ids, attention_mask=mask, pooling_mask=mask)
