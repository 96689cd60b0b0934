"""Two arrays of vectors for the same texts, row by row."""

from __future__ import annotations

import numpy as np
from attrs import frozen
from numpy.typing import NDArray

from hotbed.errors import UsageError

__all__ = ["NEIGHBOURS", "Fidelity", "compare_vectors"]

NEIGHBOURS = 10
"""How many nearest neighbours of each text are compared."""


@frozen(kw_only=True)
class Fidelity:
    """What a comparison found.

    Attributes:
        texts: How many texts were compared.
        lowest: The lowest cosine of a text's two vectors; of two zero vectors it is 1.
        percentile: The 1st percentile of those cosines.
        mean: Their mean.
        max_abs: The largest difference of one number.
        margin: Half the width of the 95 % interval of the mean, for texts like these; 0 of one.
        neighbours: The share of each text's nearest neighbours, among the other texts, that both
            agree on; None for fewer than three texts.
    """

    texts: int
    lowest: float
    percentile: float
    mean: float
    max_abs: float
    neighbours: float | None
    margin: float = 0.0


def compare_vectors(reference: NDArray[np.floating], other: NDArray[np.floating]) -> Fidelity:
    """Compare row by row.

    >>> compare_vectors(np.eye(3), np.eye(3)).lowest
    1.0

    Args:
        reference: What is taken for right, (texts, dimension).
        other: What is judged, of the same shape.

    Raises:
        UsageError: The shapes differ, there is no text, or a number is not finite.
    """
    a, b = np.asarray(reference, np.float64), np.asarray(other, np.float64)
    if a.shape != b.shape or a.ndim != 2 or not len(a):
        raise UsageError(f"cannot compare {a.shape} with {b.shape}: give two (texts, dimension)")
    if not (np.isfinite(a).all() and np.isfinite(b).all()):
        raise UsageError("cannot compare: there are numbers that are not finite")
    unit_a, unit_b = _unit(a), _unit(b)
    # Where a model has nothing to say of a text, saying nothing is right.
    nothing = ~(a.any(axis=1) | b.any(axis=1))
    cosines = np.where(nothing, 1.0, np.einsum("td,td->t", unit_a, unit_b))
    return Fidelity(
        texts=len(a),
        lowest=float(cosines.min()),
        percentile=float(np.percentile(cosines, 1)),
        mean=float(cosines.mean()),
        max_abs=float(np.abs(a - b).max()),
        neighbours=_agreement(unit_a, unit_b),
        margin=_margin(cosines),
    )


def _margin(cosines: NDArray[np.float64]) -> float:
    """1.96 standard errors of the mean."""
    if len(cosines) < 2:
        return 0.0
    return float(1.96 * cosines.std(ddof=1) / np.sqrt(len(cosines)))


def _unit(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    scaled: NDArray[np.float64] = rows / np.where(lengths == 0, 1, lengths)
    return scaled


def _agreement(a: NDArray[np.float64], b: NDArray[np.float64]) -> float | None:
    count = min(NEIGHBOURS, len(a) - 2)
    if count < 1:
        return None
    nearest = [_nearest(rows, count) for rows in (a, b)]
    shared = [len(set(x) & set(y)) for x, y in zip(*nearest, strict=True)]
    return float(np.mean(shared)) / count


def _nearest(unit: NDArray[np.float64], count: int) -> list[list[int]]:
    scores = unit @ unit.T
    np.fill_diagonal(scores, -np.inf)
    order = np.argsort(-scores, axis=1, kind="stable")[:, :count]
    rows: list[list[int]] = order.tolist()
    return rows
