"""From float32 vectors to what was asked for: cut, normalised, quantised."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hotbed.errors import HotbedWarning, UsageError
from hotbed.inference.arrays import numbers
from hotbed.models.heads import normalize

__all__ = ["PRECISIONS", "finish", "quantize_embeddings", "truncate"]

PRECISIONS = ("float32", "int8", "uint8", "binary", "ubinary")

_ENOUGH = 100
"""Rows below which sentence-transformers warns that ranges are shaky."""

Floats = NDArray[np.float32]


def truncate(vectors: Floats, dimension: int | None) -> Floats:
    """Keep the first ``dimension`` columns (Matryoshka; Kusupati et al. 2022, arXiv:2205.13147).

    Raises:
        UsageError: There are not that many.
    """
    width = vectors.shape[-1]
    if dimension is None:
        return vectors
    if not 1 <= dimension <= width:
        raise UsageError(f"truncate_dim={dimension}: the model's vectors have {width} dimensions")
    return vectors[..., :dimension]


def finish(vectors: Floats, dimension: int | None, unit_length: bool) -> Floats:
    """Cut, then normalise if asked: cutting makes unit vectors shorter than 1."""
    vectors = truncate(vectors, dimension)
    return normalize(vectors) if unit_length else vectors


def quantize_embeddings(
    embeddings: ArrayLike,
    precision: str,
    ranges: ArrayLike | None = None,
    calibration_embeddings: ArrayLike | None = None,
) -> NDArray[Any]:
    """Quantise vectors as ``sentence_transformers.quantize_embeddings`` 6.2 does, to the bit.

    >>> quantize_embeddings(np.array([[0.5, -0.5]]), "ubinary").tolist()
    [[128]]

    Args:
        embeddings: (n, d) or (d,) floats.
        precision: ``float32``, ``int8``, ``uint8``, ``binary`` or ``ubinary``.
        ranges: (2, d): least and greatest value of each dimension, for ``int8`` and ``uint8``.
        calibration_embeddings: (m, d) floats that the ranges are taken from, where not given.

    Returns:
        The same shape in ``int8`` or ``uint8``; for ``binary`` and ``ubinary`` eight dimensions to
        a byte, the first one in the highest bit.

    Raises:
        UsageError: The precision is unknown, or ranges would have to come from one vector.
    """
    _check_precision(precision)
    vectors = numbers(embeddings, "embeddings")
    if vectors.dtype in (np.int8, np.uint8):
        raise UsageError(f"embeddings are {vectors.dtype} already; quantise the float vectors")
    if precision == "float32":
        return vectors.astype(np.float32)
    _require_finite(vectors, "embeddings", precision)
    if precision == "ubinary":
        return np.packbits(vectors > 0, axis=-1)
    if precision == "binary":
        return (np.packbits(vectors > 0, axis=-1).astype(np.int16) - 128).astype(np.int8)
    if vectors.ndim == 2 and not len(vectors):
        return np.zeros(vectors.shape, dtype=precision)
    bounds = _ranges(vectors, precision, ranges, calibration_embeddings)
    start = bounds[0]
    step = (bounds[1] - start) / 255
    step = np.where(step == 0, 1, step)
    with np.errstate(over="ignore"):  # a step near zero: what overflows is clipped
        levels = np.clip(np.floor((vectors - start) / step), 0, 255)
    return levels.astype(np.uint8) if precision == "uint8" else (levels - 128).astype(np.int8)


def _check_precision(precision: str) -> None:
    if precision not in PRECISIONS:
        raise UsageError(f"precision={precision!r} is not one of {', '.join(PRECISIONS)}")


def _require_finite(values: NDArray[Any], name: str, precision: str) -> None:
    """Refuse NaN and infinity, for which whole numbers have no place."""
    if not np.isfinite(values).all():
        rows = np.flatnonzero(~np.isfinite(np.atleast_2d(values)).all(axis=1))
        raise UsageError(
            f"{name}[{rows[0]}] holds NaN or infinity, which precision={precision!r} has no number "
            f"for; leave such rows out"
        )


def _ranges(
    vectors: NDArray[Any],
    precision: str,
    ranges: ArrayLike | None,
    calibration: ArrayLike | None,
) -> Floats:
    if ranges is not None:
        bounds: Floats = numbers(ranges, "ranges", axes=(2,), dtype=np.float32)
        _require_finite(bounds, "ranges", precision)
        if bounds.shape != (2, vectors.shape[-1]):
            raise UsageError(
                f"ranges has the shape {bounds.shape}; (2, {vectors.shape[-1]}) is expected: the "
                f"least and the greatest value of each dimension"
            )
        return bounds
    if calibration is None:
        if vectors.ndim == 1 or len(vectors) == 1:
            raise UsageError(
                f"precision={precision!r} of a single vector needs ranges= or "
                f"calibration_embeddings= from a representative set of texts"
            )
        if len(vectors) < _ENOUGH:
            warnings.warn(
                f"{precision} ranges are taken from {len(vectors)} vectors; give ranges= or "
                f"calibration_embeddings= from at least {_ENOUGH}",
                HotbedWarning,
                stacklevel=4,
            )
    sample = vectors
    if calibration is not None:
        sample = numbers(calibration, "calibration_embeddings", axes=(2,))
        if not len(sample) or sample.shape[1] != vectors.shape[-1]:
            raise UsageError(
                f"calibration_embeddings has the shape {sample.shape}; rows of "
                f"{vectors.shape[-1]} dimensions are expected"
            )
        _require_finite(sample, "calibration_embeddings", precision)
    return np.vstack((sample.min(axis=0), sample.max(axis=0))).astype(np.float32)
