"""What may be given to encode: departures for input that is not a text or a list of texts."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from hotbed.errors import UsageError
from tests.oracle.pair import Pair

TEXTS = ["a dog", "the cat sleeps", ""]


def test_an_iterator_is_a_stream(plain: Pair) -> None:
    """hotbed embeds an iterator row by row; sentence-transformers takes it for one odd input."""
    with pytest.raises(ValueError, match="Unsupported input type"):
        plain.st.encode(iter(TEXTS))
    rows = list(plain.hotbed.encode(iter(TEXTS)))
    np.testing.assert_allclose(rows, plain.st.encode(TEXTS), rtol=1e-5, atol=1e-5)


def test_pairs_of_texts(plain: Pair) -> None:
    """hotbed refuses pairs of texts and names the index; sentence-transformers joins them."""
    assert plain.st.encode([("a dog", "bread")]).shape == (1, 32)
    pairs: Any = ["the cat", ("a dog", "bread")]
    with pytest.raises(UsageError, match=r"inputs\[1\] is tuple"):
        plain.hotbed.encode(pairs)


@pytest.mark.parametrize("wrong", [[1], [None], [b"a dog"]], ids=repr)
def test_not_a_text(plain: Pair, wrong: Any) -> None:
    """Both refuse what is not a text with a ValueError; hotbed's names the index."""
    with pytest.raises(ValueError, match="Unsupported input type"):
        plain.st.encode(wrong)
    with pytest.raises(UsageError, match=r"inputs\[0\] is"):
        plain.hotbed.encode(wrong)


def test_a_number_is_refused_by_both(plain: Pair) -> None:
    """A number in place of texts is refused by both with a ValueError."""
    wrong: Any = 3
    for model in (plain.st, plain.hotbed):
        with pytest.raises(ValueError, match="int"):
            model.encode(wrong)
