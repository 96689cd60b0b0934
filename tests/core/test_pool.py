"""Pooling against a loop written from sentence-transformers 6.2's ``modules/pooling.py``."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from hotbed.backends.values import POOLING_MODES, Pooling
from hotbed.models import pool

Floats = NDArray[np.float32]
Mask = NDArray[np.int64]
values = st.floats(-100, 100, width=32, allow_subnormal=False)


@st.composite
def batches(draw: st.DrawFn) -> tuple[Floats, Mask, Mask]:
    """Token embeddings, an attention mask padded on one side, and one less a prompt."""
    rows, tokens, hidden = (draw(st.integers(1, top)) for top in (3, 6, 3))
    embeddings = draw(hnp.arrays(np.float32, (rows, tokens, hidden), elements=values))
    attention = np.zeros((rows, tokens), dtype=np.int64)
    left = draw(st.booleans())
    for row in range(rows):
        count = draw(st.integers(1, tokens))
        attention[row, -count:] = 1
        if not left:
            attention[row] = attention[row, ::-1]
    pooling = attention.copy()
    prompt = draw(st.integers(0, tokens))
    for row in range(rows):
        pooling[row, np.flatnonzero(attention[row])[:prompt]] = 0
    return embeddings, attention, pooling


def slow(tokens: Floats, attention: Mask, mask: Mask, mode: str) -> Floats:
    """One text after the other, one token after the other."""
    out = []
    for row in range(len(tokens)):
        picked = [column for column in range(tokens.shape[1]) if mask[row, column]]
        first = min(c for c in range(tokens.shape[1]) if attention[row, c])
        hidden = tokens.shape[2]
        if mode == "cls":
            out.append(tokens[row, picked[0] if picked else 0])
        elif mode == "lasttoken":
            out.append(tokens[row, picked[-1]] if picked else np.zeros(hidden))
        elif mode == "max":
            least = np.full(hidden, -np.inf)
            out.append(np.max([tokens[row, c] for c in picked], axis=0) if picked else least)
        else:
            weight = {c: c - first + 1 if mode == "weightedmean" else 1 for c in picked}
            total = sum(
                (weight[c] * tokens[row, c].astype(float) for c in picked), np.zeros(hidden)
            )
            count = max(sum(weight.values()), 1e-9)
            out.append(total / (np.sqrt(count) if mode == "mean_sqrt_len_tokens" else count))
    return np.array(out, dtype=np.float32)


@given(batches(), st.lists(st.sampled_from(POOLING_MODES), min_size=1, max_size=3))
def test_pooling_equals_the_loop(batch: tuple[Floats, Mask, Mask], modes: list[str]) -> None:
    """Any modes, joined in order, on any padding and prompt, give what the loop gives."""
    tokens, attention, mask = batch
    found = pool(tokens, attention, mask, Pooling(modes=tuple(modes)))
    expected = np.concatenate([slow(tokens, attention, mask, mode) for mode in modes], axis=1)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-3)


@given(batches(), st.sampled_from(POOLING_MODES), st.integers(1, 4))
def test_padding_changes_nothing(batch: tuple[Floats, Mask, Mask], mode: str, more: int) -> None:
    """More padding on the right, with anything in it, leaves the vectors as they were."""
    tokens, attention, mask = batch
    if mode == "cls" and not mask.any(axis=1).all():
        return  # token 0 stands in where nothing counts
    wider = [
        np.concatenate([array, np.full((len(array), more, *array.shape[2:]), fill, array.dtype)], 1)
        for array, fill in ((tokens, 77), (attention, 0), (mask, 0))
    ]
    pooling = Pooling(modes=(mode,))
    np.testing.assert_allclose(
        pool(wider[0], wider[1], wider[2], pooling),
        pool(tokens, attention, mask, pooling),
        rtol=1e-5,
        atol=1e-4,
    )


def test_an_unknown_mode_cannot_be_made() -> None:
    """A pooling holds only modes that can be computed."""
    with pytest.raises(ValueError, match="median"):
        Pooling(modes=("median",))
