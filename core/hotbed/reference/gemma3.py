"""The forward of Gemma 3's text part in float64 numpy (arXiv:2503.19786), as EmbeddingGemma's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hotbed.backends import TokenBatch
from hotbed.reference.blocks import Doubles, Tensors, activation
from hotbed.reference.qwen3 import rms_norm, self_attention, spellings
from hotbed.reference.rotary import frequencies

__all__ = ["forward"]


def forward(folder: Path, config: dict[str, Any], batch: TokenBatch) -> NDArray[np.float32]:
    """Token embeddings, (batch, tokens, hidden) float32."""
    tensors = Tensors.open(folder, spellings)
    eps = config.get("rms_norm_eps", 1e-6)
    gate = activation(config.get("hidden_activation", "gelu_pytorch_tanh"))
    scale = config.get("query_pre_attn_scalar", 256) ** -0.5

    def norm(x: Doubles, name: str) -> Doubles:
        return rms_norm(x, 1 + tensors[f"{name}.weight"], eps)

    x = tensors.rows("embed_tokens.weight", batch.input_ids) * np.sqrt(config["hidden_size"])
    for layer in range(config["num_hidden_layers"]):
        at, whole = f"layers.{layer}.", _sees_all(config, layer)
        turns, seen = _turns(config, whole), _seen(config, whole, batch)
        normed = norm(x, f"{at}input_layernorm")
        part = self_attention(tensors, config, normed, at, turns, seen, eps, plus=1.0, scale=scale)
        x = x + norm(part, f"{at}post_attention_layernorm")
        normed = norm(x, f"{at}pre_feedforward_layernorm")
        inner = gate(tensors.linear(normed, f"{at}mlp.gate_proj"))
        inner = inner * tensors.linear(normed, f"{at}mlp.up_proj")
        part = tensors.linear(inner, f"{at}mlp.down_proj")
        x = x + norm(part, f"{at}post_feedforward_layernorm")
    return norm(x, "norm").astype(np.float32)


def _sees_all(config: dict[str, Any], layer: int) -> bool:
    if config.get("layer_types"):
        return bool(config["layer_types"][layer] == "full_attention")
    return (layer + 1) % config.get("sliding_window_pattern", 6) == 0


def _seen(config: dict[str, Any], whole: bool, batch: TokenBatch) -> NDArray[np.bool_]:
    real = batch.attention_mask[:, None, None, :] != 0
    columns = np.arange(batch.input_ids.shape[1])
    back, window = columns[:, None] - columns, config.get("sliding_window", 4096)
    if config.get("use_bidirectional_attention"):
        return real if whole else real & (abs(back) <= window // 2)
    return real & (back >= 0) if whole else real & (back >= 0) & (back < window)


def _turns(config: dict[str, Any], whole: bool) -> NDArray[np.float32]:
    kind = "full_attention" if whole else "sliding_attention"
    stated = (config.get("rope_parameters") or {}).get(kind)
    size = config.get("head_dim", 256)
    if whole:
        theta = config.get("rope_theta", 1_000_000.0)
        return frequencies(size, theta, stated or config.get("rope_scaling"))
    return frequencies(size, config.get("rope_local_base_freq", 10_000.0), stated)
