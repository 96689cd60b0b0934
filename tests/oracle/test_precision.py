"""Quantised vectors: quantize_embeddings to the bit, and the precision argument of encode."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from hypothesis.extra.numpy import array_shapes, arrays
from numpy.typing import NDArray

from hotbed import HotbedWarning, quantize_embeddings
from hotbed.errors import UsageError
from hotbed.inference.outputs import PRECISIONS
from hotbed.testing.tiny import TEXTS
from tests.oracle.pair import CUT, FEW, Pair

pytestmark = pytest.mark.filterwarnings(
    CUT, FEW, "ignore:overflow encountered:RuntimeWarning:sentence_transformers"
)

Quantize = Callable[..., NDArray[Any]]
INTEGERS = ("int8", "uint8")
FLOATS = some.floats(-8, 8, width=32)
TABLES = arrays(
    np.float32, array_shapes(min_dims=2, max_dims=2, min_side=2, max_side=20), elements=FLOATS
)


@pytest.fixture(scope="module")
def oracle(torch: Any) -> Quantize:
    """sentence-transformers' own quantize_embeddings."""
    quantize: Quantize = importlib.import_module("sentence_transformers").quantize_embeddings
    return quantize


def same(actual: NDArray[Any], expected: NDArray[Any]) -> None:
    """Check values, shape and type, to the bit."""
    assert actual.dtype == expected.dtype
    np.testing.assert_array_equal(actual, expected, strict=True)


@given(vectors=TABLES)
@settings(deadline=None)
@pytest.mark.parametrize("precision", PRECISIONS)
def test_to_the_bit(oracle: Quantize, precision: str, vectors: NDArray[np.float32]) -> None:
    """Any table of floats becomes the very bytes that sentence-transformers makes of it."""
    same(quantize_embeddings(vectors, precision), oracle(vectors, precision))


@given(vectors=TABLES, data=some.data())
@settings(deadline=None)
@pytest.mark.parametrize("precision", INTEGERS)
def test_ranges_to_the_bit(
    oracle: Quantize, precision: str, vectors: NDArray[np.float32], data: some.DataObject
) -> None:
    """Given ranges, also empty and reversed ones, quantise to sentence-transformers' bytes."""
    ranges = data.draw(arrays(np.float32, (2, vectors.shape[1]), elements=FLOATS))
    same(
        quantize_embeddings(vectors, precision, ranges=ranges),
        oracle(vectors, precision, ranges=ranges),
    )


@given(vectors=TABLES, data=some.data())
@settings(deadline=None)
@pytest.mark.parametrize("precision", INTEGERS)
def test_calibration_to_the_bit(
    oracle: Quantize, precision: str, vectors: NDArray[np.float32], data: some.DataObject
) -> None:
    """Ranges taken from other vectors quantise to sentence-transformers' bytes."""
    other = data.draw(arrays(np.float32, (5, vectors.shape[1]), elements=FLOATS))
    same(
        quantize_embeddings(vectors, precision, calibration_embeddings=other),
        oracle(vectors, precision, calibration_embeddings=other),
    )


@pytest.mark.parametrize("dtype", [np.float64, np.float16])
@pytest.mark.parametrize("precision", PRECISIONS)
def test_other_floats(oracle: Quantize, precision: str, dtype: type[np.floating[Any]]) -> None:
    """Doubles and halves become sentence-transformers' bytes as well."""
    vectors = np.random.default_rng(0).normal(size=(200, 20)).astype(dtype)
    same(quantize_embeddings(vectors, precision), oracle(vectors, precision))


@pytest.mark.parametrize("precision", INTEGERS)
def test_one_vector_with_ranges(oracle: Quantize, precision: str) -> None:
    """A single vector with ranges becomes sentence-transformers' bytes."""
    vectors = np.random.default_rng(0).normal(size=(200, 20)).astype(np.float32)
    ranges = np.vstack((vectors.min(axis=0), vectors.max(axis=0)))
    actual = quantize_embeddings(vectors[7], precision, ranges=ranges)
    same(actual, oracle(vectors[7], precision, ranges=ranges))


@pytest.mark.parametrize("precision", INTEGERS)
def test_one_vector_without_ranges(oracle: Quantize, precision: str) -> None:
    """Both refuse to take ranges from a single vector, with a ValueError."""
    for vectors in (np.ones(8, np.float32), np.ones((1, 8), np.float32)):
        for quantize in (oracle, quantize_embeddings):
            with pytest.raises(ValueError, match="single"):
                quantize(vectors, precision)


def test_vectors_that_are_quantised_already(oracle: Quantize) -> None:
    """Both refuse integers; hotbed with a ValueError, the oracle with a bare Exception."""
    vectors = np.ones((4, 8), np.int8)
    with pytest.raises(Exception, match="must be float"):
        oracle(vectors, "uint8")
    with pytest.raises(UsageError, match="already"):
        quantize_embeddings(vectors, "uint8")


@pytest.mark.parametrize("precision", PRECISIONS)
def test_encode(plain: Pair, oracle: Quantize, precision: str) -> None:
    """encode's precision is the oracle's quantisation of its own float vectors, and as shaped."""
    expected = plain.st.encode(list(TEXTS), precision=precision)
    actual = plain.hotbed.encode(list(TEXTS), precision=precision)
    assert actual.shape == expected.shape
    same(actual, oracle(plain.hotbed.encode(list(TEXTS)), precision))
    if precision in INTEGERS:  # a float at the edge of a level may fall to its neighbour
        assert np.abs(actual.astype(int) - expected.astype(int)).max() <= 1


@pytest.mark.parametrize("precision", ["binary", "ubinary"])
@pytest.mark.parametrize("width", [8, 20])
def test_bits_of_cut_vectors(plain: Pair, precision: str, width: int) -> None:
    """Bits of vectors cut to any width, of a list and of a text, are the oracle's."""
    for texts in (list(TEXTS), "a dog"):
        actual = plain.hotbed.encode(texts, precision=precision, truncate_dim=width)
        same(actual, plain.st.encode(texts, precision=precision, truncate_dim=width))


@pytest.mark.parametrize("texts", ["a dog", ["a dog"]], ids=repr)
@pytest.mark.parametrize("precision", INTEGERS)
def test_integers_of_one_text(plain: Pair, precision: str, texts: str | list[str]) -> None:
    """Both refuse to encode a single text as integers, with a ValueError; hotbed takes ranges."""
    for model in (plain.st, plain.hotbed):
        with pytest.raises(ValueError, match="single"):
            model.encode(texts, precision=precision)
    ranges = np.vstack((-np.ones(32), np.ones(32)))
    actual = plain.hotbed.encode(texts, precision=precision, ranges=ranges)
    assert actual.dtype == precision
    with pytest.raises(ValueError, match="ranges"):
        plain.st.encode(texts, precision=precision, ranges=ranges)


def test_an_empty_list_keeps_its_type(plain: Pair) -> None:
    """[] as int8 is (0, d) int8 in hotbed and (0,) float64 in sentence-transformers."""
    assert plain.st.encode([], precision="int8").dtype == np.float64
    empty = plain.hotbed.encode([], precision="int8")
    assert (empty.shape, empty.dtype) == ((0, 32), np.int8)


def test_few_vectors_are_warned_of(plain: Pair, caplog: pytest.LogCaptureFixture) -> None:
    """Ranges from under 100 texts are a Python warning in hotbed and a log line in the oracle."""
    plain.st.encode(["a dog", "bread"], precision="int8")
    assert "buckets based on 2 embeddings" in caplog.text
    with pytest.warns(HotbedWarning, match="taken from 2 vectors"):
        plain.hotbed.encode(["a dog", "bread"], precision="int8")


def test_tokens_are_not_quantised(plain: Pair) -> None:
    """hotbed refuses token embeddings as integers; sentence-transformers quantises each matrix."""
    options: dict[str, Any] = {"output_value": "token_embeddings", "precision": "int8"}
    assert plain.st.encode(["a dog", "bread"], **options)[0].dtype == np.int8
    with pytest.raises(UsageError, match="for sentence embeddings"):
        plain.hotbed.encode(["a dog", "bread"], **options)
