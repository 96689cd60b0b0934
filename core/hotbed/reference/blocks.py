"""Arithmetic that the references share, in float64: nothing of it comes from the graph builder."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
from attrs import frozen
from numpy.typing import NDArray
from scipy.special import erf, expit, softmax

from hotbed.errors import CorruptFileError, UnsupportedModelError
from hotbed.models.weights import Weights

__all__ = ["Doubles", "Tensors", "activation", "attend", "heads_joined", "heads_split"]

Doubles = NDArray[np.float64]


@frozen
class Tensors:
    """A folder's tensors as float64, by the names that the reference uses.

    Attributes:
        weights: The file.
        spell: Gives the spellings that a name may have in the file, likeliest first.
    """

    weights: Weights
    spell: Callable[[str], Iterable[str]]

    @classmethod
    def open(cls, folder: Path, spell: Callable[[str], Iterable[str]]) -> Tensors:
        """Open a transformer's folder."""
        return cls(Weights.open(folder), spell)

    def has(self, name: str) -> bool:
        """Whether there is such a tensor."""
        return any(spelling in self.weights.names for spelling in self.spell(name))

    def __getitem__(self, name: str) -> Doubles:
        return self._stored(name).astype(np.float64)

    def _stored(self, name: str) -> NDArray[np.float32]:
        for spelling in self.spell(name):
            shape = self.weights.shape(spelling)
            if shape is not None:
                return self.weights.float32(spelling, shape)
        raise CorruptFileError(f"{self.weights.path} holds no tensor {name!r}")

    def rows(self, name: str, ids: NDArray[np.int64]) -> Doubles:
        """Rows of an embedding table, widened after they are picked: the table may be gigabytes."""
        return self._stored(name)[ids].astype(np.float64)

    def linear(self, x: Doubles, name: str) -> Doubles:
        """x·Wᵀ, plus the bias where there is one."""
        # As one matrix: numpy multiplies (batch, tokens, width) row of texts by row of texts.
        flat = x.reshape(-1, x.shape[-1]) @ self[f"{name}.weight"].T
        out = flat.reshape(*x.shape[:-1], -1)
        return out + self[f"{name}.bias"] if self.has(f"{name}.bias") else out

    def layer_norm(self, x: Doubles, name: str, eps: float) -> Doubles:
        """Layer normalisation of the last axis, its shift left out where there is none."""
        centred = x - x.mean(axis=-1, keepdims=True)
        scaled = centred / np.sqrt(x.var(axis=-1, keepdims=True) + eps) * self[f"{name}.weight"]
        return scaled + self[f"{name}.bias"] if self.has(f"{name}.bias") else scaled


def heads_split(x: Doubles, heads: int) -> Doubles:
    """(batch, tokens, heads × size) → (batch, heads, tokens, size)."""
    batch, tokens, width = x.shape
    return x.reshape(batch, tokens, heads, width // heads).transpose(0, 2, 1, 3)


def heads_joined(x: Doubles) -> Doubles:
    """(batch, heads, tokens, size) → (batch, tokens, heads × size)."""
    batch, heads, tokens, size = x.shape
    return x.transpose(0, 2, 1, 3).reshape(batch, tokens, heads * size)


def attend(
    query: Doubles,
    key: Doubles,
    value: Doubles,
    seen: NDArray[np.bool_],
    *,
    scale: float | None = None,
    bias: Doubles | float = 0.0,
) -> Doubles:
    """Softmax attention.

    Args:
        query: (batch, heads, tokens, size).
        key: The same, with as many heads or a divisor of them.
        value: As ``key``.
        seen: Which token (row) sees which, broadcast to (batch, heads, tokens, tokens). A token
            that sees none gets the mean of all, and whatever it gives is hidden from the others.
        scale: What the scores are multiplied with; 1/√size by default.
        bias: Added to the scores.

    Returns:
        (batch, heads, tokens, size).
    """
    times = query.shape[1] // key.shape[1]
    key, value = (np.repeat(x, times, axis=1) for x in (key, value))
    scale = 1 / np.sqrt(query.shape[-1]) if scale is None else scale
    scores = query @ key.transpose(0, 1, 3, 2) * scale + bias
    mixed: Doubles = softmax(np.where(seen, scores, -1e30), axis=-1) @ value
    return mixed


def activation(name: str) -> Callable[[Doubles], Doubles]:
    """An activation by transformers' name."""
    if name not in _ACTIVATIONS:
        raise UnsupportedModelError(f"no numpy form of the activation {name!r}")
    return _ACTIVATIONS[name]


def _gelu_tanh(x: Doubles) -> Doubles:
    return 0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)))


_ACTIVATIONS: dict[str, Callable[[Doubles], Doubles]] = {
    "gelu": lambda x: x * 0.5 * (1 + erf(x / np.sqrt(2))),
    "gelu_new": _gelu_tanh,
    "gelu_pytorch_tanh": _gelu_tanh,
    "relu": lambda x: np.maximum(x, 0),
    "sigmoid": expit,
    "silu": lambda x: x * expit(x),
    "swish": lambda x: x * expit(x),
    "tanh": np.tanh,
}
