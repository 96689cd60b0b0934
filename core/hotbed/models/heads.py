"""Dense, LayerNorm and Normalize in numpy, for graphs that stop before them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hotbed.models.boundary import reading
from hotbed.models.modules import Dense, Head, LayerNorm, Normalize
from hotbed.models.weights import Weights

__all__ = ["LAYER_NORM_EPS", "NORM_FLOOR", "build_heads", "normalize"]

Floats = NDArray[np.float32]

LAYER_NORM_EPS = 1e-5
"""torch.nn.LayerNorm's default, which the LayerNorm module uses."""

NORM_FLOOR = 1e-12
"""torch.nn.functional.normalize's default: a zero vector stays zero."""


def normalize(vectors: Floats) -> Floats:
    """Scale rows to length 1: (n, d) float32 → (n, d) float32; zero rows stay zero."""
    norms = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return (vectors / np.maximum(norms, np.float32(NORM_FLOOR))).astype(np.float32, copy=False)


def build_heads(folder: Path, heads: tuple[Head, ...]) -> tuple[Callable[[Floats], Floats], ...]:
    """Read the heads' weights and give one function each, (n, d) float32 → (n, d′) float32."""
    with reading(folder, "be read: its heads"):
        return tuple(_build(folder, head) for head in heads)


def _build(folder: Path, head: Head) -> Callable[[Floats], Floats]:
    match head:
        case Normalize():
            return normalize
        case LayerNorm():
            return _layer_norm(folder, head)
        case Dense():
            return _dense(folder, head)


def _layer_norm(folder: Path, head: LayerNorm) -> Callable[[Floats], Floats]:
    weights = Weights.open(folder / head.path)
    scale = weights.float32("norm.weight", (head.dimension,))
    shift = weights.float32("norm.bias", (head.dimension,))

    def apply(x: Floats) -> Floats:
        centred = x - x.mean(axis=-1, keepdims=True)
        variance = np.square(centred).mean(axis=-1, keepdims=True)
        return centred / np.sqrt(variance + np.float32(LAYER_NORM_EPS)) * scale + shift

    return apply


def _dense(folder: Path, head: Dense) -> Callable[[Floats], Floats]:
    weights = Weights.open(folder / head.path)
    kernel = weights.float32("linear.weight", (head.out_features, head.in_features)).T
    shift = weights.float32("linear.bias", (head.out_features,)) if head.bias else np.float32(0)
    activation = _ACTIVATIONS[head.activation]
    residual: Floats | None = None
    if head.residual and head.in_features != head.out_features:
        residual = weights.float32("residual.weight", (head.out_features, head.in_features)).T

    def apply(x: Floats) -> Floats:
        out: Floats = activation(x @ kernel + shift)
        if head.residual:
            out = out + (x if residual is None else x @ residual)
        return out

    return apply


def _gelu(x: Floats) -> Floats:
    from scipy.special import erf

    half: Floats = np.float32(0.5) * x
    return half * (np.float32(1) + erf(x / np.float32(np.sqrt(2)))).astype(np.float32)


def _sigmoid(x: Floats) -> Floats:
    from scipy.special import expit

    gate: Floats = expit(x)  # without overflow for large negative values
    return gate


_ACTIVATIONS: dict[str, Callable[[Floats], Floats]] = {
    "identity": lambda x: x,
    "tanh": np.tanh,
    "gelu": _gelu,
    "relu": lambda x: np.maximum(x, np.float32(0)),
    "silu": lambda x: x * _sigmoid(x),
    "sigmoid": _sigmoid,
}
