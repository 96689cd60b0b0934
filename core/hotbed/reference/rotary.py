"""Rotary positions (arXiv:2104.09864) in numpy.

Angles are rounded to float32 as transformers rounds them, everything else is float64.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hotbed.errors import UnsupportedModelError
from hotbed.reference.blocks import Doubles

__all__ = ["frequencies", "rotate", "stretched"]

Floats = NDArray[np.float32]


def frequencies(size: int, theta: float, scaling: Mapping[str, Any] | None = None) -> Floats:
    """Radians a position for each of a head's ``size / 2`` pairs of units.

    Args:
        size: Units of a head.
        theta: The base.
        scaling: ``rope_parameters`` or ``rope_scaling``; its own ``rope_theta`` comes first.
    """
    scaling = scaling or {}
    theta = scaling.get("rope_theta") or theta
    kind = scaling.get("rope_type") or scaling.get("type") or "default"
    factor = scaling.get("factor") or 1.0
    pair = np.arange(size // 2)
    if kind in ("default", "dynamic"):
        return (theta ** (-2.0 * pair / size)).astype(np.float32)
    if kind == "linear":
        return (theta ** (-2.0 * pair / size) / factor).astype(np.float32)
    if kind != "ntk":
        raise UnsupportedModelError(f"no numpy form of the rope_type {kind!r}")
    mixed = scaling.get("mixed_b")
    if mixed is None:
        turns = (theta * factor) ** (-2.0 * pair / size) / factor ** (2.0 / size)
    else:
        slope = np.log(factor) / (size / 2) ** mixed
        turns = theta ** (-2.0 * pair / size) / np.exp(slope * (pair + 1.0) ** mixed)
    return turns.astype(np.float32)


def stretched(size: int, theta: float, factor: float, trained: int, tokens: int) -> Floats:
    """Frequencies under dynamic NTK scaling, for a text of so many tokens."""
    beyond = factor * max(tokens, trained) / trained - (factor - 1)
    return frequencies(size, theta * beyond ** (size / (size - 2)))


def rotate(x: Doubles, turns: Floats) -> Doubles:
    """Rotate (batch, heads, tokens, size) by position × frequency.

    Args:
        x: Queries or keys; a head's first half is rotated with its second.
        turns: (size / 2,), or (batch, size / 2) where texts differ.
    """
    places = np.arange(x.shape[2], dtype=np.float32)
    angles = (places[:, None] * np.atleast_2d(turns)[:, None, None, :]).astype(np.float64)
    real, imaginary = np.split(x, 2, axis=-1)
    turned = (real + 1j * imaginary) * np.exp(1j * angles)
    return np.concatenate([turned.real, turned.imag], axis=-1)
