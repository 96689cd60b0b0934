"""Batching by a budget of padded tokens."""

from __future__ import annotations

import itertools

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from hotbed.inference.batching import ENOUGH, pack

counts = st.lists(st.integers(0, 600), max_size=60).map(lambda c: np.array(c, dtype=np.int64))
budgets = st.integers(1, 2048)
caps = st.one_of(st.none(), st.integers(1, 20))


@given(counts, budgets, caps)
def test_every_text_is_in_exactly_one_batch(
    counts: NDArray[np.int64], budget: int, cap: int | None
) -> None:
    """The batches together hold each position once, and no batch is empty."""
    batches = list(pack(counts, budget, cap))
    assert all(len(batch) for batch in batches)
    joined = np.concatenate([np.empty(0, np.int64), *batches])
    assert sorted(joined.tolist()) == list(range(len(counts)))


@given(counts, budgets, caps)
def test_budget_and_cap_are_kept(counts: NDArray[np.int64], budget: int, cap: int | None) -> None:
    """Rows × longest stays within the budget, but for a text that exceeds it alone."""
    for batch in pack(counts, budget, cap):
        assert len(batch) == 1 or len(batch) * counts[batch].max() <= budget
        assert cap is None or len(batch) <= cap


@given(counts, budgets)
def test_batches_are_as_large_as_they_may_be(counts: NDArray[np.int64], budget: int) -> None:
    """A batch is closed where one more row would exceed the budget, or where it holds enough.

    Enough is a part of the budget, and then only before a shorter text.
    """
    batches = list(pack(counts, budget))
    for batch, following in itertools.pairwise(batches):
        longest = max(1, int(counts[batch].max()))
        full = (len(batch) + 1) * longest > budget
        shorter = counts[following[0]] < counts[batch[-1]]
        assert full or (shorter and len(batch) * longest * ENOUGH >= budget)


@given(counts, budgets)
def test_a_batch_that_holds_enough_ends_with_its_length(
    counts: NDArray[np.int64], budget: int
) -> None:
    """No batch goes on into shorter texts once it holds its part of the budget."""
    for batch in pack(counts, budget):
        lengths = counts[batch]
        before_last = int((lengths > lengths[-1]).sum())  # texts longer than the last
        assert before_last * max(1, int(lengths.max())) * ENOUGH < budget or before_last == 0


@given(counts, budgets, caps)
def test_longest_first_and_equal_ones_in_order(
    counts: NDArray[np.int64], budget: int, cap: int | None
) -> None:
    """Lengths never rise from batch to batch, and equal texts keep the caller's order."""
    order = [position for batch in pack(counts, budget, cap) for position in batch.tolist()]
    assert order == sorted(range(len(counts)), key=lambda position: (-counts[position], position))


@given(counts, budgets, caps)
def test_batches_of_one_length_need_no_padding(
    counts: NDArray[np.int64], budget: int, cap: int | None
) -> None:
    """Every batch holds texts of one length, within budget and cap, and as many as there may be."""
    batches = list(pack(counts, budget, cap, one_length=True))
    joined = np.concatenate([np.empty(0, np.int64), *batches])
    assert sorted(joined.tolist()) == list(range(len(counts)))
    for batch, after in itertools.pairwise(batches):
        assert len(set(counts[batch].tolist())) == 1
        assert len(batch) == 1 or len(batch) * counts[batch].max() <= budget
        if counts[after[0]] == counts[batch[0]]:
            full = max(1, budget // max(1, int(counts[batch[0]])))
            assert len(batch) == min(full, cap or full)
