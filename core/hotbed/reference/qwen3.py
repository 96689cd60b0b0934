"""Qwen3's forward in float64 numpy (arXiv:2505.09388), as Qwen3-Embedding uses it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hotbed.backends import TokenBatch
from hotbed.reference.blocks import (
    Doubles,
    Tensors,
    activation,
    attend,
    heads_joined,
    heads_split,
)
from hotbed.reference.nomic_bert import turns_of
from hotbed.reference.rotary import rotate

__all__ = ["forward", "rms_norm", "self_attention", "spellings"]


def forward(folder: Path, config: dict[str, Any], batch: TokenBatch) -> NDArray[np.float32]:
    """Token embeddings, (batch, tokens, hidden) float32."""
    tensors = Tensors.open(folder, spellings)
    eps, gate = config.get("rms_norm_eps", 1e-6), activation(config.get("hidden_act", "silu"))
    turns = turns_of({"head_dim": 128, **config}, batch, 10_000.0)
    x = tensors.rows("embed_tokens.weight", batch.input_ids)
    for layer in range(config["num_hidden_layers"]):
        at = f"layers.{layer}."
        normed = rms_norm(x, tensors[f"{at}input_layernorm.weight"], eps)
        seen = _seen(config, layer, batch)
        x = x + self_attention(tensors, config, normed, at, turns, seen, eps)
        normed = rms_norm(x, tensors[f"{at}post_attention_layernorm.weight"], eps)
        inner = gate(tensors.linear(normed, f"{at}mlp.gate_proj"))
        inner = inner * tensors.linear(normed, f"{at}mlp.up_proj")
        x = x + tensors.linear(inner, f"{at}mlp.down_proj")
    return rms_norm(x, tensors["norm.weight"], eps).astype(np.float32)


def rms_norm(x: Doubles, scale: Doubles, eps: float) -> Doubles:
    """Zhang & Sennrich 2019, arXiv:1910.07467."""
    scaled: Doubles = x / np.sqrt(np.square(x).mean(axis=-1, keepdims=True) + eps) * scale
    return scaled


def self_attention(
    tensors: Tensors,
    config: dict[str, Any],
    x: Doubles,
    at: str,
    turns: NDArray[np.float32],
    seen: NDArray[np.bool_],
    eps: float,
    *,
    plus: float = 0.0,
    scale: float | None = None,
) -> Doubles:
    """One layer's attention, projected back: queries and keys normalised, then rotated."""
    heads = config["num_attention_heads"]
    shared = config.get("num_key_value_heads") or heads
    query, key, value = (
        heads_split(tensors.linear(x, f"{at}self_attn.{part}_proj"), count)
        for part, count in (("q", heads), ("k", shared), ("v", shared))
    )
    query = rms_norm(query, plus + tensors[f"{at}self_attn.q_norm.weight"], eps)
    key = rms_norm(key, plus + tensors[f"{at}self_attn.k_norm.weight"], eps)
    mixed = attend(rotate(query, turns), rotate(key, turns), value, seen, scale=scale)
    return tensors.linear(heads_joined(mixed), f"{at}self_attn.o_proj")


def _seen(config: dict[str, Any], layer: int, batch: TokenBatch) -> NDArray[np.bool_]:
    real = batch.attention_mask[:, None, None, :] != 0
    if not config.get("is_causal", True):
        return real
    columns = np.arange(batch.input_ids.shape[1])
    back = columns[:, None] - columns
    if _slides(config, layer):
        return real & (back >= 0) & (back < config["sliding_window"])
    return real & (back >= 0)


def _slides(config: dict[str, Any], layer: int) -> bool:
    if config.get("layer_types"):
        return bool(config["layer_types"][layer] == "sliding_attention")
    return bool(config.get("use_sliding_window")) and layer >= config.get("max_window_layers", 28)


def spellings(name: str) -> Iterable[str]:
    """With and without the prefix of a model with a head."""
    return name, f"model.{name}"
