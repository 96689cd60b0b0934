"""Vectors in bytes and bits; sentence-transformers' ``quantize_embeddings`` 6.2 is the oracle.

It takes ``floor((x - start) / step)`` with ``step = (end - start) / 255``, and packs the bits of
``x > 0``; the expected numbers here were worked out from those two formulas.
"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from hotbed import HotbedWarning, quantize_embeddings
from hotbed.errors import UsageError
from hotbed.inference.outputs import finish, truncate
from hotbed.models.heads import normalize

Floats = NDArray[np.float32]
elements = st.floats(-10, 10, width=16)  # no smaller than 6e-8, well above the norm's floor
vectors = hnp.arrays(
    np.float32, st.tuples(st.integers(1, 6), st.integers(1, 12)), elements=elements
)


@given(vectors, st.sampled_from(["int8", "uint8"]))
def test_a_byte_keeps_a_value_within_one_step(x: Floats, precision: str) -> None:
    """Reading a byte back gives the value within one step of its dimension's range."""
    ranges = np.stack([x.min(axis=0), x.max(axis=0)])
    levels = quantize_embeddings(x, precision, ranges=ranges)
    assert levels.dtype == precision
    assert levels.shape == x.shape
    step = (ranges[1] - ranges[0]) / 255
    back = (levels.astype(np.float64) + (128 if precision == "int8" else 0)) * step + ranges[0]
    assert np.all(back <= x + 1e-4)
    assert np.all(x - back <= step + 1e-4)


@given(vectors)
def test_int8_is_uint8_shifted(x: Floats) -> None:
    """The two byte forms hold the same levels, 128 apart."""
    ranges = np.stack([x.min(axis=0), x.max(axis=0)])
    unsigned = quantize_embeddings(x, "uint8", ranges=ranges).astype(int)
    assert np.array_equal(quantize_embeddings(x, "int8", ranges=ranges).astype(int), unsigned - 128)


@given(vectors)
def test_bits_are_signs(x: Floats) -> None:
    """A bit is set where the value is above zero; the first dimension is the highest bit."""
    packed = quantize_embeddings(x, "ubinary")
    assert packed.dtype == np.uint8
    bits = np.unpackbits(packed, axis=-1)[:, : x.shape[1]]
    assert np.array_equal(bits, (x > 0).astype(np.uint8))
    signed = quantize_embeddings(x, "binary")
    assert signed.dtype == np.int8
    assert np.array_equal(signed.astype(int), packed.astype(int) - 128)


def test_worked_examples() -> None:
    """Numbers worked out by hand from the formulas at the head of this file."""
    x = np.array([[0.0, -1.0], [0.9, 0.8], [0.5, 0.0]], dtype=np.float32)
    ranges = [[0.0, -1.0], [1.0, 1.0]]
    assert quantize_embeddings(x, "uint8", ranges=ranges).tolist() == [
        [0, 0],
        [229, 229],
        [127, 127],
    ]
    outside = np.array([[-9.0, 9.0]], dtype=np.float32)
    assert quantize_embeddings(outside, "int8", ranges=ranges).tolist() == [[-128, 127]]
    assert quantize_embeddings(x[:1], "ubinary").tolist() == [[0]]
    assert quantize_embeddings(x[1], "ubinary").tolist() == [192]


def test_a_constant_dimension_is_level_zero() -> None:
    """A dimension without range does not divide by zero."""
    x = np.full((3, 2), 0.25, dtype=np.float32)
    ranges = np.stack([x[0], x[0]])
    assert quantize_embeddings(x, "uint8", ranges=ranges).tolist() == [[0, 0]] * 3


def test_calibration_gives_the_ranges() -> None:
    """Ranges taken from other vectors are those vectors' least and greatest values."""
    x = np.array([[0.25]], dtype=np.float32)
    sample = np.array([[0.0], [1.0]], dtype=np.float32)
    found = quantize_embeddings(x, "uint8", calibration_embeddings=sample)
    assert found.tolist() == quantize_embeddings(x, "uint8", ranges=sample).tolist() == [[63]]


def test_ranges_from_few_vectors_are_warned_about() -> None:
    """Fewer than 100 vectors make shaky ranges, and the warning says how many there were."""
    with pytest.warns(HotbedWarning, match="taken from 99 vectors"):
        quantize_embeddings(np.eye(99, dtype=np.float32), "int8")
    assert quantize_embeddings(np.eye(100, dtype=np.float32), "int8").shape == (100, 100)


@pytest.mark.parametrize("x", [np.ones(4), np.ones((1, 4))])
def test_one_vector_has_no_range(x: Floats) -> None:
    """A single vector cannot give its own ranges."""
    with pytest.raises(UsageError, match="of a single vector needs ranges="):
        quantize_embeddings(x, "int8")


def test_mistakes_are_named() -> None:
    """An unknown precision, bytes instead of floats, and ranges of another shape are refused."""
    with pytest.raises(UsageError, match=r"precision='int4' is not one of float32, int8"):
        quantize_embeddings(np.ones((2, 2)), "int4")
    with pytest.raises(UsageError, match="are int8 already"):
        quantize_embeddings(np.ones((2, 2), np.int8), "ubinary")
    with pytest.raises(UsageError, match=r"shape \(2, 3\); \(2, 2\) is expected"):
        quantize_embeddings(np.ones((2, 2)), "int8", ranges=np.ones((2, 3)))


@pytest.mark.parametrize("precision", ["int8", "uint8", "float32"])
def test_no_vectors_give_none(precision: str) -> None:
    """An empty array keeps its width."""
    found = quantize_embeddings(np.empty((0, 7), np.float32), precision)
    assert (found.shape, found.dtype) == ((0, 7), np.dtype(precision))


@given(vectors)
def test_normalised_rows_have_length_one_or_zero(x: Floats) -> None:
    """A row keeps its direction and gets length 1; a zero row stays zero."""
    found = normalize(x)
    lengths = np.linalg.norm(x, axis=1)
    assert np.allclose(np.linalg.norm(found, axis=1), lengths > 1e-12, atol=1e-5)
    np.testing.assert_allclose(found * lengths[:, None], x, rtol=1e-4, atol=1e-4)


@given(vectors, st.data())
def test_cut_vectors_are_cut_before_they_are_scaled(x: Floats, data: st.DataObject) -> None:
    """``finish`` cuts, then normalises, so that cut vectors have length 1 too."""
    width = data.draw(st.integers(1, x.shape[1]))
    assert np.array_equal(truncate(x, width), x[:, :width])
    np.testing.assert_array_equal(finish(x, width, True), normalize(x[:, :width]))


@pytest.mark.parametrize("width", [0, -1, 4])
def test_a_width_that_is_not_there_is_refused(width: int) -> None:
    """``truncate_dim`` outside the vector names both numbers."""
    with pytest.raises(UsageError, match=rf"truncate_dim={width}: .* have 3 dimensions"):
        truncate(np.ones((2, 3), np.float32), width)
