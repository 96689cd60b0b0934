"""Scores between vectors; larger is nearer, so distances are negated."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hotbed.errors import UsageError
from hotbed.inference.arrays import numbers
from hotbed.models.heads import normalize

__all__ = ["SIMILARITIES", "pairwise", "similarity"]

Floats = NDArray[np.float32]


def similarity(a: ArrayLike, b: ArrayLike, name: str = "cosine") -> Floats:
    """Score each row of ``a`` (n, d) against each row of ``b`` (m, d): (n, m) float32.

    >>> similarity([[1.0, 0.0]], [[1.0, 0.0], [0.0, 2.0]]).tolist()
    [[1.0, 0.0]]

    A row that holds NaN has NaN for every score; ``encode`` hands none out unless the model was
    loaded with another ``on_nonfinite`` than ``error``.
    """
    left, right = _matrix(a, "a"), _matrix(b, "b")
    if left.shape[1] != right.shape[1]:
        raise UsageError(
            f"vectors of {left.shape[1]} and of {right.shape[1]} dimensions have no similarity"
        )
    return _pick(name)[0](left, right)


def pairwise(a: ArrayLike, b: ArrayLike, name: str = "cosine") -> Floats:
    """Score row i of ``a`` (n, d) against row i of ``b`` (n, d): (n,) float32."""
    left, right = _matrix(a, "a"), _matrix(b, "b")
    if left.shape != right.shape:
        raise UsageError(f"pairwise scores need equal shapes, not {left.shape} and {right.shape}")
    return _pick(name)[1](left, right)


def _matrix(vectors: ArrayLike, name: str) -> Floats:
    array: Floats = numbers(vectors, name, dtype=np.float32)
    return array[None, :] if array.ndim == 1 else array


def _pick(name: str) -> tuple[Callable[[Floats, Floats], Floats], ...]:
    if name not in SIMILARITIES:
        raise UsageError(f"similarity_fn_name={name!r} is not one of {', '.join(SIMILARITIES)}")
    return SIMILARITIES[name]


def _dot(a: Floats, b: Floats) -> Floats:
    return a @ b.T


def _euclidean(a: Floats, b: Floats) -> Floats:
    from scipy.spatial.distance import cdist

    return (-cdist(a, b)).astype(np.float32)


def _manhattan(a: Floats, b: Floats) -> Floats:
    from scipy.spatial.distance import cdist

    return (-cdist(a, b, "cityblock")).astype(np.float32)


def _row_dot(a: Floats, b: Floats) -> Floats:
    return np.einsum("nd,nd->n", a, b)


SIMILARITIES: dict[str, tuple[Callable[[Floats, Floats], Floats], ...]] = {
    "cosine": (
        lambda a, b: _dot(normalize(a), normalize(b)),
        lambda a, b: _row_dot(normalize(a), normalize(b)),
    ),
    "dot": (_dot, _row_dot),
    "euclidean": (_euclidean, lambda a, b: -np.linalg.norm(a - b, axis=1)),
    "manhattan": (_manhattan, lambda a, b: -np.abs(a - b).sum(axis=1)),
}
"""Name → (all pairs, row by row)."""
