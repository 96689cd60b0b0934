"""BERT's forward in float64 numpy, written from the paper (arXiv:1810.04805) and transformers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import safe_open
from scipy.special import erf, softmax

from hotbed.backends import TokenBatch

__all__ = ["forward"]

Doubles = NDArray[np.float64]


class _Tensors:
    """Tensors by their present-day names, as float64."""

    def __init__(self, path: Path) -> None:
        opened: Any = safe_open(path, framework="np")
        self._file = opened
        self._names = {self._modern(name): name for name in self._file.keys()}  # noqa: SIM118

    @staticmethod
    def _modern(name: str) -> str:
        name = name.removeprefix("bert.")
        return name.replace("LayerNorm.gamma", "LayerNorm.weight").replace(
            "LayerNorm.beta", "LayerNorm.bias"
        )

    def __getitem__(self, name: str) -> Doubles:
        if "BF16" in str(self._file.get_slice(self._names[name]).get_dtype()):
            import ml_dtypes  # noqa: F401 - importing it teaches numpy the type
        tensor: Doubles = self._file.get_tensor(self._names[name]).astype(np.float64)
        return tensor

    def linear(self, x: Doubles, name: str) -> Doubles:
        return x @ self[f"{name}.weight"].T + self[f"{name}.bias"]

    def norm(self, x: Doubles, name: str, eps: float) -> Doubles:
        centred = x - x.mean(axis=-1, keepdims=True)
        scaled = centred / np.sqrt(x.var(axis=-1, keepdims=True) + eps)
        return scaled * self[f"{name}.weight"] + self[f"{name}.bias"]


def forward(folder: Path, config: dict[str, Any], batch: TokenBatch) -> NDArray[np.float32]:
    """Token embeddings, (batch, tokens, hidden) float32."""
    tensors = _Tensors(folder / "model.safetensors")
    eps = config.get("layer_norm_eps", 1e-12)
    heads = config["num_attention_heads"]
    activate = _ACTIVATIONS[config.get("hidden_act", "gelu")]

    tokens = batch.input_ids.shape[1]
    x = tensors["embeddings.word_embeddings.weight"][batch.input_ids]
    x = x + tensors["embeddings.position_embeddings.weight"][:tokens]
    x = x + tensors["embeddings.token_type_embeddings.weight"][0]
    x = tensors.norm(x, "embeddings.LayerNorm", eps)
    padding = np.where(batch.attention_mask[:, None, None, :] == 0, -1e30, 0.0)

    for layer in range(config["num_hidden_layers"]):
        prefix = f"encoder.layer.{layer}."
        q, k, v = (
            _split(tensors.linear(x, f"{prefix}attention.self.{part}"), heads)
            for part in ("query", "key", "value")
        )
        scores = q @ k.transpose(0, 1, 3, 2) / np.sqrt(q.shape[-1]) + padding
        mixed = _join(softmax(scores, axis=-1) @ v)
        attended = tensors.linear(mixed, f"{prefix}attention.output.dense") + x
        attended = tensors.norm(attended, f"{prefix}attention.output.LayerNorm", eps)
        inner = activate(tensors.linear(attended, f"{prefix}intermediate.dense"))
        x = tensors.linear(inner, f"{prefix}output.dense") + attended
        x = tensors.norm(x, f"{prefix}output.LayerNorm", eps)
    return x.astype(np.float32)


def _split(x: Doubles, heads: int) -> Doubles:
    batch, tokens, hidden = x.shape
    return x.reshape(batch, tokens, heads, hidden // heads).transpose(0, 2, 1, 3)


def _join(x: Doubles) -> Doubles:
    batch, heads, tokens, size = x.shape
    return x.transpose(0, 2, 1, 3).reshape(batch, tokens, heads * size)


_ACTIVATIONS: dict[str, Callable[[Doubles], Doubles]] = {
    "gelu": lambda x: x * 0.5 * (1 + erf(x / np.sqrt(2))),
    "gelu_new": lambda x: 0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3))),
    "relu": lambda x: np.maximum(x, 0),
    "silu": lambda x: x / (1 + np.exp(-x)),
    "tanh": np.tanh,
}
