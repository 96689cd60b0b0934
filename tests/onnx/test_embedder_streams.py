"""Iterators in, iterators out: lazily, in bounded memory."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import hotbed
from hotbed import Embedder
from hotbed.errors import UsageError
from hotbed.testing.tiny import WORDS

WINDOW = 512
"""Texts that a stream may run ahead of its reader."""


@pytest.fixture
def model(tiny: Path) -> Iterator[Embedder]:
    """The tiny model."""
    with hotbed.load(tiny) as embedder:
        yield embedder


class Source:
    """An iterator of texts that counts how far it was read."""

    def __init__(self, count: int, bad: int = -1) -> None:
        self.read = 0
        self._count = count
        self._bad = bad

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        if self.read == self._count:
            raise StopIteration
        self.read += 1
        if self.read - 1 == self._bad:
            return 7  # type: ignore[return-value]
        return " ".join(WORDS[: self.read % 9])


def test_nothing_is_read_before_a_row_is_asked_for(model: Embedder) -> None:
    """``encode`` of an iterator returns at once."""
    source = Source(10)
    rows = model.encode(source)
    assert source.read == 0
    assert next(rows).shape == (32,)


def test_a_stream_runs_a_bounded_way_ahead(model: Embedder) -> None:
    """However long the source, it is read only a window ahead of what was taken."""
    source = Source(10**9)
    for taken, _ in enumerate(itertools.islice(model.encode(source), 2 * WINDOW + 1), 1):
        assert taken <= source.read < taken + WINDOW
    assert source.read == 3 * WINDOW


def test_rows_of_a_stream_are_the_rows_of_a_list(model: Embedder) -> None:
    """Windows change neither order nor values."""
    rows = np.array(list(model.encode(Source(1300))))
    expected = model.encode(list(Source(1300)))
    np.testing.assert_allclose(rows, expected, atol=1e-5)


def test_an_empty_stream(model: Embedder) -> None:
    """No texts, no rows."""
    assert list(model.encode(iter([]))) == []


def test_an_input_that_is_no_text_is_named_by_its_place_in_the_stream(model: Embedder) -> None:
    """The index counts from the stream's beginning, and earlier windows came out."""
    rows = model.encode(Source(2000, bad=1100))
    assert len(list(itertools.islice(rows, 2 * WINDOW))) == 2 * WINDOW
    with pytest.raises(UsageError, match=r"inputs\[1100\] is int"):
        next(rows)


def test_arguments_are_checked_at_once(model: Embedder) -> None:
    """A mistake is told by ``encode`` itself, not by the first row."""
    with pytest.raises(UsageError, match="batch_size=0"):
        model.encode(Source(3), batch_size=0)


def test_token_embeddings_of_a_stream(model: Embedder) -> None:
    """Other outputs stream as well."""
    shapes = [row.shape for row in model.encode(Source(3), output_value="token_embeddings")]
    counts = model.count_tokens(list(Source(3)))
    assert shapes == [(count, 32) for count in counts]
