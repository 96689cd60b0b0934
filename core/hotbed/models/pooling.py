"""Pooling in numpy, with the edge cases of sentence-transformers 6.2 (``modules/pooling.py``)."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from hotbed.backends.values import Pooling

__all__ = ["pool"]

Floats = NDArray[np.float32]
Mask = NDArray[np.int64]

_FLOOR = np.float32(1e-9)


def pool(tokens: Floats, attention_mask: Mask, pooling_mask: Mask, pooling: Pooling) -> Floats:
    """Pool token embeddings to one vector a text.

    Args:
        tokens: (batch, tokens, hidden) float32.
        attention_mask: (batch, tokens), 0 on padding.
        pooling_mask: (batch, tokens), 0 on padding and on what pooling leaves out.
        pooling: The modes; their results are joined in order.

    Returns:
        (batch, hidden × modes) float32.
    """
    tokens = np.asarray(tokens, dtype=np.float32)
    parts = [_MODES[mode](tokens, attention_mask, pooling_mask) for mode in pooling.modes]
    return parts[0] if len(parts) == 1 else np.concatenate(parts, axis=1)


def _weighted_sum(tokens: Floats, weights: Floats) -> Floats:
    return np.matmul(weights[:, None, :], tokens)[:, 0, :]


def _cls(tokens: Floats, attention_mask: Mask, mask: Mask) -> Floats:
    """The first token that counts; token 0 where none does."""
    return np.take_along_axis(tokens, mask.argmax(axis=1)[:, None, None], axis=1)[:, 0]


def _max(tokens: Floats, attention_mask: Mask, mask: Mask) -> Floats:
    return np.where(mask[:, :, None] != 0, tokens, np.float32(-np.inf)).max(axis=1)


def _mean(tokens: Floats, attention_mask: Mask, mask: Mask) -> Floats:
    weights = mask.astype(np.float32)
    return _weighted_sum(tokens, weights) / np.maximum(weights.sum(axis=1, keepdims=True), _FLOOR)


def _mean_sqrt_len(tokens: Floats, attention_mask: Mask, mask: Mask) -> Floats:
    weights = mask.astype(np.float32)
    count = np.maximum(weights.sum(axis=1, keepdims=True), _FLOOR)
    return _weighted_sum(tokens, weights) / np.sqrt(count)


def _weighted_mean(tokens: Floats, attention_mask: Mask, mask: Mask) -> Floats:
    """Weights 1, 2, 3, … from the first token on; a prompt left out keeps its places."""
    columns = np.arange(1, tokens.shape[1] + 1, dtype=np.float32)[None, :]
    padding_before = attention_mask.argmax(axis=1)[:, None].astype(np.float32)
    weights = mask.astype(np.float32) * (columns - padding_before)
    return _weighted_sum(tokens, weights) / np.maximum(weights.sum(axis=1, keepdims=True), _FLOOR)


def _last_token(tokens: Floats, attention_mask: Mask, mask: Mask) -> Floats:
    """The last token that counts, whichever side the padding is on; zeros where none does."""
    last = mask.shape[1] - 1 - mask[:, ::-1].argmax(axis=1)
    picked = np.take_along_axis(tokens, last[:, None, None], axis=1)[:, 0]
    return picked * (mask.max(axis=1) != 0)[:, None]


_MODES: dict[str, Callable[[Floats, Mask, Mask], Floats]] = {
    "cls": _cls,
    "max": _max,
    "mean": _mean,
    "mean_sqrt_len_tokens": _mean_sqrt_len,
    "weightedmean": _weighted_mean,
    "lasttoken": _last_token,
}
