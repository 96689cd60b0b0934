"""Whether padding changes a model's vectors, seen by trying.

A graph of somebody else's may have no mask, declare one and not use it, use it everywhere but in
its pooling, or take its ranges from padding too. Names and nodes tell only some of these apart; one
text alone and the same text padded tell all of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from attrs import evolve
from numpy.typing import NDArray

from hotbed.backends.engine import Engine
from hotbed.backends.values import Loaded, TokenBatch
from hotbed.errors import HotbedError
from hotbed.inference.tokenisation import Tokenizer

__all__ = ["unpadded", "with_padding_seen"]

_WIDTH = 16
"""Tokens of the padded rows: few, because a model is waited for."""

_SHORT = (3, 6)
"""Tokens of the texts that are padded."""

_ROUNDING = {"float32": 1e-3, "float16": 2e-2, "bfloat16": 5e-2}
"""Differences that come of another order of sums, as parts of the largest number."""

_RANGES = 0.03
"""1 − cosine up to which ranges that are taken from each batch explain a difference: MiniLM without
a mask is 0.16 off."""

_FACT = ("padding", "none: it would change the vectors, so batches hold texts of one length")


def with_padding_seen(
    engine: Engine, loaded: Loaded, tokenizer: Tokenizer, *, foreign: bool
) -> Loaded:
    """Fill in ``Loaded.masks_padding`` where the backend does not know, and note what it means.

    Padding on the left moves the positions of a model that numbers them from the first column. In
    sentence-transformers too, so there it is no fault of a graph that hotbed wrote.

    Args:
        engine: The backend.
        loaded: Its open model.
        tokenizer: The model's tokenizer.
        foreign: Whether the graph is somebody else's.
    """
    masks = loaded.masks_padding
    if masks is None:
        masks = (tokenizer.left and not foreign) or _seen(engine, loaded, tokenizer)
    facts = loaded.facts if masks else (*loaded.facts, _FACT)
    return evolve(loaded, masks_padding=masks, facts=facts)


def unpadded(batch: TokenBatch) -> Iterator[tuple[NDArray[np.int64], TokenBatch]]:
    """Split a padded batch by the lengths of its texts: the rows, and a batch without padding."""
    counts = batch.attention_mask.sum(axis=1)
    for count in np.unique(counts):
        rows = np.flatnonzero(counts == count)
        # Of a text without tokens one column stays, as everywhere.
        order = np.argsort(batch.attention_mask[rows] == 0, axis=1, kind="stable")
        columns = order[:, : max(1, int(count))]

        def taken(array: NDArray[np.int64], rows: NDArray[np.int64] = rows) -> NDArray[np.int64]:
            return np.ascontiguousarray(np.take_along_axis(array[rows], columns, axis=1))  # noqa: B023 - used at once

        mask = taken(batch.attention_mask)
        counted = taken(batch.pooling_mask) if batch.masks_differ else mask
        ids = taken(batch.input_ids)
        yield rows, TokenBatch(input_ids=ids, attention_mask=mask, pooling_mask=counted)


def _seen(engine: Engine, loaded: Loaded, tokenizer: Tokenizer) -> bool:
    """Run short texts alone and padded, and compare every output."""
    texts = _texts(tokenizer)
    padded = _batch([*texts], tokenizer)
    outputs = loaded.outputs
    try:
        beside = engine.embed(loaded, padded, outputs)
        for row, ids in enumerate(texts[:-1]):
            alone = engine.embed(loaded, _batch([ids], tokenizer), outputs)
            real = padded.attention_mask[row] != 0
            for name in outputs:
                one, other = alone[name][0], beside[name][row]
                if name != "sentence_embedding":
                    other = other[real]
                if not _alike(one, other, loaded):
                    return False
    except HotbedError:
        return True  # it cannot be run so: the first text says why
    return True


def _texts(tokenizer: Tokenizer) -> list[list[int]]:
    """Token numbers of some short texts, and of one that the others are padded to."""
    found = tokenizer.encode(["one text of several words, to be cut to a number of tokens"]).ids[0]
    ids = found or [tokenizer.pad_id]
    width = min(_WIDTH, tokenizer.max_seq_length or _WIDTH)
    long = (ids * (width // len(ids) + 1))[:width]
    return [*(long[: max(1, min(count, width - 1))] for count in _SHORT), long]


def _batch(texts: Sequence[Sequence[int]], tokenizer: Tokenizer) -> TokenBatch:
    width = max(map(len, texts))
    ids = np.full((len(texts), width), tokenizer.pad_id, dtype=np.int64)
    mask = np.zeros_like(ids)
    for row, text in enumerate(texts):
        start = width - len(text) if tokenizer.left else 0
        ids[row, start : start + len(text)] = text
        mask[row, start : start + len(text)] = 1
    return TokenBatch(input_ids=ids, attention_mask=mask, pooling_mask=mask)


def _alike(one: NDArray[np.float32], other: NDArray[np.float32], loaded: Loaded) -> bool:
    if not np.isfinite(one).all():
        return True  # encode says so of every text
    if not np.isfinite(other).all():
        return False
    a, b = one.astype(np.float64).ravel(), other.astype(np.float64).ravel()
    if loaded.batch_dependent:
        lengths = float(np.linalg.norm(a) * np.linalg.norm(b))
        return not lengths or 1 - float(a @ b) / lengths <= _RANGES
    largest = float(np.abs(a).max(initial=0))
    return float(np.abs(a - b).max(initial=0)) <= _ROUNDING.get(loaded.dtype, 1e-2) * largest
