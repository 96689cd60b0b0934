"""How far two ways of computing one vector may lie apart, by arithmetic."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["TOLERANCES", "assert_close", "assert_right", "unit"]

TOLERANCES = {
    "float32": 1e-5,
    "float16": 3e-3,
    "bfloat16": 5e-2,
    # Weights lie on the grid, so this is for engines that round activations as well.
    "int8": 5e-2,
    "uint8": 5e-2,
    "q8": 5e-2,
    "w8": 5e-2,
    "q4": 5e-2,
    "q4f16": 5e-2,
    "bnb4": 5e-2,
}
"""Arithmetic → largest difference between numbers of two vectors of length 1."""

_FLOATS = ("float32", "float16", "bfloat16")
_LOWEST = 0.97
"""Cosine that integer arithmetic keeps on weights that integers hold exactly."""


def unit(rows: NDArray[Any]) -> NDArray[np.float64]:
    """Scale vectors to length 1, so that a tolerance means the same for each."""
    wide = np.asarray(rows, np.float64)
    lengths = np.linalg.norm(wide, axis=-1, keepdims=True)
    scaled: NDArray[np.float64] = wide / np.where(lengths == 0, 1, lengths)
    return scaled


def assert_close(dtype: str, found: NDArray[Any], wanted: NDArray[Any]) -> None:
    """Equal directions within the tolerance of an arithmetic, and equal lengths within 5 %."""
    np.testing.assert_allclose(unit(found), unit(wanted), rtol=0, atol=TOLERANCES[dtype])
    lengths = np.linalg.norm(np.asarray(found, np.float64), axis=-1)
    expected = np.linalg.norm(np.asarray(wanted, np.float64), axis=-1)
    rtol = 1e-4 if dtype == "float32" else 5e-2
    np.testing.assert_allclose(lengths, expected, rtol=rtol, atol=1e-6)


def assert_right(dtype: str, found: NDArray[Any], wanted: NDArray[Any]) -> None:
    """Near enough to the reference: for floats number by number, for integers by cosine.

    Rounding activations to 8 bits moves single numbers of so small a model far, and its direction
    hardly.
    """
    if dtype in _FLOATS:
        assert_close(dtype, found, wanted)
        return
    cosines = (unit(found) * unit(wanted)).sum(axis=-1)
    assert cosines.min() >= _LOWEST, cosines
