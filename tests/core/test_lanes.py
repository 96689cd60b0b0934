"""Work done side by side keeps its order, its errors and its bounds."""

from __future__ import annotations

import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hotbed.inference.lanes import side_by_side


@given(items=st.lists(st.integers(), max_size=50), lanes=st.integers(1, 5))
def test_results_come_in_the_order_of_the_items(items: list[int], lanes: int) -> None:
    """Whatever finishes first, results stand where their items stood."""
    assert list(side_by_side(lambda item: item * 2, items, lanes)) == [item * 2 for item in items]


def test_no_more_than_the_lanes_run_at_once() -> None:
    """Three lanes never have four pieces of work in hand, however many callers there are."""
    busy, most, lock = 0, 0, threading.Lock()

    def work(_: int) -> None:
        nonlocal busy, most
        with lock:
            busy += 1
            most = max(most, busy)
        time.sleep(0.002)
        with lock:
            busy -= 1

    callers = [
        threading.Thread(target=lambda: list(side_by_side(work, range(20), 3))) for _ in range(4)
    ]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert 2 <= most <= 3


def test_an_error_is_raised_and_stops_what_has_not_begun() -> None:
    """The caller gets the error itself, and most of what was waiting is never done."""
    done: list[int] = []

    def work(item: int) -> None:
        if item == 3:
            raise KeyError(item)
        time.sleep(0.001)
        done.append(item)

    with pytest.raises(KeyError, match="3"):
        list(side_by_side(work, range(5_000), 2))
    time.sleep(0.05)
    assert len(done) < 4_000
