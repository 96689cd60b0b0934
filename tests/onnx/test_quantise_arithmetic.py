"""Rounding to few bits against exact arithmetic, and against ONNX Runtime's own quantiser.

Exact means fractions of Python's ``fractions``, or float64 where only a bound is stated.
``onnxruntime.capi``'s ``quantize_matmul_4bits`` and ``quantize_matmul_8bits`` are the oracle for
blocks; SmoothQuant's equation 4 (arXiv:2211.10438) for smoothing.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from hotbed.errors import ConversionError
from hotbed_onnx.quantising.arithmetic import (
    Range,
    affine,
    blocks,
    columns,
    pack_nibbles,
    require_finite,
    rows,
    smoothing,
)

Floats = NDArray[np.float32]

values = st.one_of(
    st.floats(-4, 4, width=32),
    st.just(0.0),
    st.floats(-65504, 65504, width=32),  # outliers
    st.floats(2.0**-20, 2.0**-10, width=32),
)
weights = hnp.arrays(np.float32, st.tuples(st.integers(1, 70), st.integers(1, 5)), elements=values)
TINY = 2.0**-126
"""Steps below the least normal float32 are none: a tensor of such values is as good as zero."""


def half_a_step(scale: NDArray[Any]) -> NDArray[Any]:
    """The largest rounding error, with room for the float32 quotient."""
    return np.abs(scale.astype(np.float64)) * (0.5 + 1e-4) + TINY


@given(weights, st.sampled_from([7, 8]))
def test_columns_are_within_half_a_step(weight: Floats, bits: int) -> None:
    """Whole times scale is the weight, within half of the column's step; nothing is cut off."""
    whole, scales = columns(weight, bits=bits)
    most = 2 ** (bits - 1) - 1
    assert whole.dtype == np.int8
    assert np.abs(whole.astype(int)).max() <= most
    back = whole.astype(np.float64) * scales.astype(np.float64)
    assert np.all(np.abs(back - weight) <= half_a_step(scales))


@given(weights)
def test_rows_are_within_half_a_step(table: Floats) -> None:
    """The same for a table, row by row; rows do not know of one another."""
    whole, scales = rows(table)
    back = whole.astype(np.float64) * scales.astype(np.float64)
    assert np.all(np.abs(back - table) <= half_a_step(scales))
    alone, scale = rows(table[:1])
    assert np.array_equal(alone, whole[:1])
    assert np.array_equal(scale, scales[:1])


@given(weights, st.sampled_from([4, 8]), st.sampled_from([16, 32]))
def test_blocks_are_within_half_a_step(weight: Floats, bits: int, size: int) -> None:
    """A value is within half a step; on the far side of the largest one, within a whole step.

    The integers reach one step further down than up, and the largest value takes the lowest one.
    """
    whole, scales = blocks(weight, bits=bits, size=size)
    half = 2 ** (bits - 1)
    back = (whole.astype(np.float64) - half) * scales.astype(np.float64)[:, :, None]
    flat = back.reshape(weight.shape[0], -1)
    error = np.abs(flat[:, : weight.shape[1]] - weight)
    bound = np.repeat(np.abs(scales.astype(np.float64)), size, axis=1)[:, : weight.shape[1]]
    far = weight.astype(np.float64) > bound * (half - 0.5)
    far |= weight.astype(np.float64) < -bound * (half - 0.5)
    assert np.all(error <= bound * np.where(far, 1.0 + 1e-4, 0.5 + 1e-4) + TINY)
    assert not flat[:, weight.shape[1] :].any()  # what fills the last block is exactly zero


@given(weights, st.sampled_from([4, 8]))
def test_the_largest_of_a_block_is_exact(weight: Floats, bits: int) -> None:
    """A block's value of largest magnitude is kept to a float32's last digits."""
    whole, scales = blocks(weight, bits=bits, size=32)
    back = (whole.astype(np.float64) - 2 ** (bits - 1)) * scales.astype(np.float64)[:, :, None]
    first = np.abs(weight[:, :32]).argmax(axis=1)
    for row, place in enumerate(first):
        assert back[row, 0, place] == pytest.approx(float(weight[row, place]), rel=1e-6, abs=TINY)


@pytest.mark.parametrize("bits", [4, 8])
def test_zero_and_constant_blocks(bits: int) -> None:
    """A block of zeros stays zeros; a block of one value stays that value."""
    weight = np.zeros((2, 64), np.float32)
    weight[1] = 0.375
    whole, scales = blocks(weight, bits=bits, size=32)
    back = (whole.astype(np.float32) - 2 ** (bits - 1)) * scales[:, :, None]
    assert np.array_equal(back.reshape(2, 64), weight)


@pytest.mark.parametrize("bits", [4, 8])
@pytest.mark.parametrize("width", [32, 96, 40])
def test_blocks_equal_onnxruntime(bits: int, width: int) -> None:
    """Integers and scales are those of ONNX Runtime's own symmetric quantiser, to the bit."""
    from onnxruntime.capi import _pybind_state as native  # noqa: TID251 - the oracle

    weight = np.random.default_rng(bits + width).normal(size=(width, 6)).astype(np.float32)
    groups = -(-width // 32)
    packed = np.zeros((6, groups, 32 * bits // 8), np.uint8)
    scales = np.zeros(6 * groups, np.float32)
    zeros = np.zeros((6, groups if bits == 8 else (groups + 1) // 2), np.uint8)
    quantize = native.quantize_matmul_4bits if bits == 4 else native.quantize_matmul_8bits
    quantize(packed, weight, scales, zeros, 32, 6, width, True)
    whole, ours = blocks(weight.T, bits=bits, size=32)
    np.testing.assert_allclose(ours.reshape(-1), scales, rtol=1e-6)
    ours_packed = whole if bits == 8 else pack_nibbles(whole)
    real = np.arange(groups * 32).reshape(groups, 32) < width
    if bits == 8:
        assert np.array_equal(ours_packed[:, real], packed[:, real])
    else:
        pairs = real[:, 0::2]
        assert np.array_equal(ours_packed[:, pairs], packed[:, pairs])


@given(hnp.arrays(np.uint8, st.tuples(st.integers(1, 4), st.just(8)), elements=st.integers(0, 15)))
def test_nibbles_are_packed_low_first(whole: NDArray[np.uint8]) -> None:
    """The first of two 4-bit integers is the low half of the byte."""
    packed = pack_nibbles(whole)
    assert np.array_equal(packed & 15, whole[:, 0::2])
    assert np.array_equal(packed >> 4, whole[:, 1::2])


@example(0.0, float(np.float32(1e-43)), 0.5)  # numbers that are not normal
@given(st.floats(-100, 100, width=32), st.floats(-100, 100, width=32), st.floats(0, 1))
def test_an_affine_grid_covers_its_range(a: float, b: float, share: float) -> None:
    """Any value of the range is read back within a step: half its own, half the zero point's."""
    low, high = min(a, b), max(a, b)
    scale, zero = affine(low, high)
    step = Fraction(float(scale))
    value = Fraction(low) + Fraction(share) * (Fraction(high) - Fraction(low))
    level = min(max(round(value / step) + int(zero), 0), 255)
    back = (level - int(zero)) * step
    assert abs(back - value) <= step * Fraction(101, 100)
    assert 0 <= int(zero) <= 255


def test_an_empty_range_has_a_step() -> None:
    """An activation that is always zero does not divide by zero."""
    assert affine(0.0, 0.0) == (np.float32(1), np.uint8(0))


@given(
    hnp.arrays(np.float32, 6, elements=st.floats(0, 1000, width=32)),
    hnp.arrays(np.float32, 6, elements=st.floats(0, 10, width=32)),
    st.sampled_from([0.25, 0.5, 0.75]),
)
def test_smoothing_is_equation_4(ranges: Floats, weight: Floats, strength: float) -> None:
    """max|x|^α / max|w|^(1-α), channel by channel, and never zero."""
    found = smoothing(Range(low=-ranges, high=ranges), weight, strength)
    x, w = np.maximum(ranges, 1e-5), np.maximum(weight, 1e-5)
    expected = np.maximum(
        x.astype(np.float64) ** strength / w.astype(np.float64) ** (1 - strength), 1e-5
    )
    np.testing.assert_allclose(found, expected, rtol=1e-4)
    assert (found > 0).all()


def test_smoothing_changes_no_product() -> None:
    """Activations divided and weights multiplied by the factors give the same products."""
    rng = np.random.default_rng(0)
    x, weight = rng.normal(size=(5, 8)) * [1, 1, 1, 100, 1, 1, 0.01, 1], rng.normal(size=(8, 3))
    known = Range(low=x.min(axis=0).astype(np.float32), high=x.max(axis=0).astype(np.float32))
    factors = smoothing(known, np.abs(weight).max(axis=1).astype(np.float32), 0.7)
    np.testing.assert_allclose((x / factors) @ (weight * factors[:, None]), x @ weight, rtol=1e-9)
    before, after = known.largest, known.divided(factors).largest
    assert after.max() / after.min() < before.max() / before.min()


def test_ranges_are_joined() -> None:
    """Two ranges together cover both."""
    floats = (np.array(values, np.float32) for values in ([-1, 0], [0, 2], [0, -3], [1, 1]))
    a, b = Range(low=next(floats), high=next(floats)), Range(low=next(floats), high=next(floats))
    joined = a.joined(b)
    assert joined.low.tolist() == [-1, -3]
    assert joined.high.tolist() == [1, 2]


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_numbers_that_are_none_are_named(bad: float) -> None:
    """NaN and infinity are refused with the tensor's name and how many there are."""
    weight = np.ones((3, 4), np.float32)
    weight[1, 2] = bad
    with pytest.raises(ConversionError, match=r"encoder\.dense .* in 1 of 12 places"):
        require_finite("encoder.dense", weight)
