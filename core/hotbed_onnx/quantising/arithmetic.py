"""Numbers in fewer bits. Each function rounds to the nearest, and its error is at most half a step.

A weight is (in, out), as MatMul multiplies it. A step of zero, where all values are zero, would
divide by zero, so it is 1 there.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from attrs import frozen
from numpy.typing import NDArray

from hotbed.errors import ConversionError

__all__ = [
    "LARGEST",
    "Range",
    "affine",
    "blocks",
    "columns",
    "halves",
    "pack_nibbles",
    "require_finite",
    "rows",
    "smoothing",
]

Floats = NDArray[np.float32]

LARGEST = 65504.0
"""The largest number of float16."""

_NORMAL = float(np.finfo(np.float32).tiny)
_LEAST = 1e-5
"""Below this, a channel counts as this: a dead channel would be smoothed without end."""


@frozen(kw_only=True, eq=False)
class Range:
    """Least and greatest value of each channel of an activation, (channels,) float32 each."""

    low: Floats
    high: Floats

    def joined(self, other: Range) -> Range:
        """What covers both."""
        return Range(low=np.minimum(self.low, other.low), high=np.maximum(self.high, other.high))

    def divided(self, factors: Floats) -> Range:
        """The range of the activation divided by positive factors, channel by channel."""
        return Range(low=self.low / factors, high=self.high / factors)

    @property
    def largest(self) -> Floats:
        """The largest magnitude of each channel."""
        return np.maximum(np.abs(self.low), np.abs(self.high))


def require_finite(name: str, values: NDArray[Any]) -> None:
    """Refuse NaN and infinity.

    Raises:
        ConversionError: There are such; the tensor is named.
    """
    if not np.isfinite(values).all():
        count = int(np.size(values) - np.count_nonzero(np.isfinite(values)))
        raise ConversionError(
            f"the tensor {name} holds NaN or infinity in {count:,} of {np.size(values):,} places; "
            f"such a model gives no vectors, and nothing was written"
        )


def halves(name: str, values: NDArray[Any], hidden: float = 0) -> NDArray[np.float16]:
    """Round to float16.

    Args:
        name: The tensor's name.
        values: Its numbers, float32.
        hidden: What a mask's lowest numbers become; 0 where there is no mask, and none is let be.

    Raises:
        ConversionError: They do not fit.
    """
    lowest, highest = values.min(initial=0), values.max(initial=0)
    if lowest >= -LARGEST and highest <= LARGEST:  # not so of NaN
        return values.astype(np.float16)
    beyond = np.abs(values) > LARGEST
    is_mask = values.size == 1 or (highest <= 0 and not values[~beyond].any())
    if hidden and is_mask and not np.isnan(values).any():
        return np.clip(values, -hidden, hidden).astype(np.float16)
    require_finite(name, values)
    raise ConversionError(
        f"the tensor {name} holds {values[beyond].flat[0]:,.8g}, and float16 ends at 65,504; such "
        f"a model stays in float32, or takes a recipe of whole numbers; nothing was written"
    )


def columns(weight: Floats, *, bits: int = 8) -> tuple[NDArray[np.int8], Floats]:
    """Round a weight to signed integers with one scale for each column.

    Args:
        weight: (in, out) float32.
        bits: 8, or 7 for CPUs that add two products in 16 bits, where 8 would overflow.

    Returns:
        (in, out) int8, and the scales, (out,) float32: weight ≈ whole × scales.
    """
    most = 2 ** (bits - 1) - 1
    scales = _steps(np.abs(weight).max(axis=0), most)
    whole = np.rint(weight / scales)
    return np.clip(whole, -most, most).astype(np.int8), scales


def rows(table: Floats) -> tuple[NDArray[np.int8], Floats]:
    """Round a table to signed integers with one scale for each row.

    Returns:
        (rows, width) int8, and the scales, (rows, 1) float32.
    """
    scales = _steps(np.abs(table).max(axis=1, keepdims=True), 127)
    return np.clip(np.rint(table / scales), -127, 127).astype(np.int8), scales


def blocks(weight: Floats, *, bits: int, size: int) -> tuple[NDArray[np.uint8], Floats]:
    """Round each row to unsigned integers around 2^(bits-1), with one scale for each block.

    As in MatMulNBits, a block's value of largest magnitude becomes the lowest integer, which has
    one step more than the highest: 8 steps below zero in 4 bits, and 7 above.

    Args:
        weight: (rows, width) float32; the last block may be short, and is filled with zeros.
        bits: 4 or 8.
        size: Values in a block.

    Returns:
        (rows, blocks, size) uint8, and the scales, (rows, blocks) float32, which may be negative:
        weight ≈ (whole - 2^(bits-1)) × scales.
    """
    count, width = weight.shape
    filled = np.zeros((count, -(-width // size) * size), np.float32)
    filled[:, :width] = weight
    grouped = filled.reshape(count, -1, size)
    half = 2 ** (bits - 1)
    places = np.abs(grouped).argmax(axis=2)[:, :, None]
    extreme = np.take_along_axis(grouped, places, axis=2)
    scales = extreme / -half
    scales[scales == 0] = 1
    whole = np.clip(np.rint(grouped / scales) + half, 0, 2 * half - 1).astype(np.uint8)
    return whole, scales[:, :, 0]


def pack_nibbles(whole: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Two 4-bit integers to a byte, the first in the low half; the last axis must be even."""
    return np.bitwise_or(whole[..., 0::2], np.left_shift(whole[..., 1::2], 4, dtype=np.uint8))


def affine(low: float, high: float) -> tuple[np.float32, np.uint8]:
    """Scale and zero point of unsigned 8-bit integers for a range.

    Zero is always in the range, so that it is exact: padding and dead units stay what they are.
    """
    low, high = min(low, 0.0), max(high, 0.0)
    # A step below float32's normal numbers has few digits left, and processors flush it to zero.
    scale = np.float32(max((high - low) / 255, _NORMAL) if high > low else 1)
    return scale, np.uint8(np.clip(np.rint(-low / scale), 0, 255))


def smoothing(activation: Range, weight: Floats, strength: float) -> Floats:
    """Factors that activations are divided by and weights multiplied with, channel by channel.

    SmoothQuant (Xiao et al. 2022, arXiv:2211.10438), equation 4.

    Args:
        activation: Of the channels.
        weight: The largest magnitude of each channel's weights, (in,) float32.
        strength: 0 leaves all range to the activations, 1 moves all into the weights.

    Returns:
        (in,) float32, positive.
    """
    ranges = np.maximum(activation.largest, _LEAST) ** np.float32(strength)
    weights = np.maximum(weight, _LEAST) ** np.float32(1 - strength)
    factors: Floats = np.maximum(ranges / weights, _LEAST).astype(np.float32)
    return factors


def _steps(largest: Floats, most: int) -> Floats:
    scales: Floats = (largest / np.float32(most)).astype(np.float32)
    scales[scales == 0] = 1  # all zero, or so near that the step is none
    return scales
