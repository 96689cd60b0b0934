"""similarity and similarity_pairwise under all four names."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from hotbed import Embedder
from hotbed.errors import ModelError, UsageError
from hotbed.inference.similarity import SIMILARITIES
from hotbed.testing import build_tiny
from tests.oracle.pair import Pair, edit

METHODS = ("similarity", "similarity_pairwise")


@pytest.fixture(params=[*SIMILARITIES, None])
def models(request: pytest.FixtureRequest, tmp_path: Path, pair: Callable[..., Pair]) -> Pair:
    """A model whose folder names each similarity, or none."""
    folder = build_tiny(tmp_path / "tiny", heads=())
    edit(folder / "config_sentence_transformers.json", similarity_fn_name=request.param)
    found = pair(folder)
    assert found.hotbed.similarity_fn_name == found.st.similarity_fn_name
    assert found.hotbed.similarity_fn_name == (request.param or "cosine")
    return found


def vectors(seed: int, *shape: int) -> NDArray[np.float32]:
    """Random vectors, the first of them zero."""
    values = np.random.default_rng(seed).normal(size=shape).astype(np.float32)
    if len(shape) > 1:
        values[0] = 0
    return values


@pytest.mark.parametrize("method", METHODS)
def test_scores(models: Pair, method: str) -> None:
    """Scores of two tables, zero vectors among them, are sentence-transformers'."""
    left = vectors(1, 7, 12)
    right = vectors(2, 7 if method == "similarity_pairwise" else 5, 12)
    actual = getattr(models.hotbed, method)(left, right)
    expected = getattr(models.st, method)(left, right).numpy()
    assert actual.dtype == expected.dtype
    assert actual.shape == expected.shape
    np.testing.assert_allclose(actual, expected, rtol=1e-5, atol=1e-5)


def test_real_vectors(models: Pair) -> None:
    """Scores of encoded texts are sentence-transformers'."""
    texts = ["a dog runs", "the cat sleeps", "bread", ""]
    expected = models.st.similarity(models.st.encode(texts), models.st.encode(texts)).numpy()
    actual = models.hotbed.similarity(models.hotbed.encode(texts), models.hotbed.encode(texts))
    off_diagonal = ~np.eye(4, dtype=bool)  # a distance to itself is only rounding
    np.testing.assert_allclose(actual[off_diagonal], expected[off_diagonal], rtol=1e-5, atol=1e-5)


def test_single_vectors(models: Pair) -> None:
    """A single vector counts as a table of one row, as in sentence-transformers."""
    left, right = vectors(1, 12), vectors(2, 5, 12)
    expected = models.st.similarity(left, right).numpy()
    np.testing.assert_allclose(
        models.hotbed.similarity(left, right), expected, rtol=1e-5, atol=1e-5, strict=True
    )


def test_single_vectors_pairwise(models: Pair) -> None:
    """Two single vectors pairwise give (1,) in hotbed and a number without axes in the oracle."""
    left, right = vectors(1, 12), vectors(2, 12)
    expected = models.st.similarity_pairwise(left, right).numpy()
    actual = models.hotbed.similarity_pairwise(left, right)
    assert (actual.shape, expected.shape) == ((1,), ())
    np.testing.assert_allclose(actual[0], expected, rtol=1e-5, atol=1e-5)


def test_pairwise_of_unequal_tables(models: Pair) -> None:
    """Unequal tables are an error pairwise in hotbed; the oracle repeats a single row."""
    left, right = vectors(1, 7, 12), vectors(2, 1, 12)
    assert models.st.similarity_pairwise(left, right).shape == (7,)
    with pytest.raises(UsageError, match="equal shapes"):
        models.hotbed.similarity_pairwise(left, right)


def test_quantised_vectors(plain: Pair) -> None:
    """int8 vectors are scored as floats in hotbed; the oracle refuses, or its sums overflow."""
    left = np.array([[100, 100, 3]], np.int8)
    with pytest.raises(RuntimeError, match="floating point"):
        plain.st.similarity(left, left)
    np.testing.assert_allclose(plain.hotbed.similarity(left, left), [[1]], rtol=1e-6)


def test_a_similarity_of_another_kind_of_model(
    tmp_path: Path, st: Callable[..., Any], hb: Callable[..., Embedder]
) -> None:
    """A folder's unknown similarity is refused by name in hotbed; the oracle takes cosine."""
    folder = build_tiny(tmp_path / "tiny")
    edit(folder / "config_sentence_transformers.json", similarity_fn_name="maxsim")
    assert st(folder).similarity_fn_name == "cosine"
    with pytest.raises(ModelError, match="maxsim"):
        hb(folder)
