"""ModernBERT's forward in float64 numpy (arXiv:2412.13663)."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hotbed.backends import TokenBatch
from hotbed.reference.blocks import (
    Tensors,
    activation,
    attend,
    heads_joined,
    heads_split,
)
from hotbed.reference.rotary import frequencies, rotate

__all__ = ["forward"]


def forward(folder: Path, config: dict[str, Any], batch: TokenBatch) -> NDArray[np.float32]:
    """Token embeddings, (batch, tokens, hidden) float32."""
    tensors = Tensors.open(folder, _spellings)
    eps, heads = config.get("norm_eps", 1e-5), config["num_attention_heads"]
    activate = activation(config.get("hidden_activation", "gelu"))
    columns = np.arange(batch.input_ids.shape[1])
    near = abs(columns[:, None] - columns) <= config.get("local_attention", 128) // 2
    real = batch.attention_mask[:, None, None, :] != 0

    x = tensors.rows("embeddings.tok_embeddings.weight", batch.input_ids)
    x = tensors.layer_norm(x, "embeddings.norm", eps)
    for layer in range(config["num_hidden_layers"]):
        at, whole = f"layers.{layer}.", _sees_all(config, layer)
        turns = _turns(config, whole)
        normed = tensors.layer_norm(x, f"{at}attn_norm", eps) if layer else x
        packed = np.split(tensors.linear(normed, f"{at}attn.Wqkv"), 3, axis=-1)
        query, key, value = (heads_split(part, heads) for part in packed)
        seen = real if whole else real & near
        mixed = attend(rotate(query, turns), rotate(key, turns), value, seen)
        x = x + tensors.linear(heads_joined(mixed), f"{at}attn.Wo")
        normed = tensors.layer_norm(x, f"{at}mlp_norm", eps)
        gate, other = np.split(tensors.linear(normed, f"{at}mlp.Wi"), 2, axis=-1)
        x = x + tensors.linear(activate(gate) * other, f"{at}mlp.Wo")
    return tensors.layer_norm(x, "final_norm", eps).astype(np.float32)


def _sees_all(config: dict[str, Any], layer: int) -> bool:
    if config.get("layer_types"):
        return bool(config["layer_types"][layer] == "full_attention")
    return layer % config.get("global_attn_every_n_layers", 3) == 0


def _turns(config: dict[str, Any], whole: bool) -> NDArray[np.float32]:
    size = config["hidden_size"] // config["num_attention_heads"]
    kind = "full_attention" if whole else "sliding_attention"
    stated = (config.get("rope_parameters") or {}).get(kind) or config.get("rope_scaling")
    theta = config.get("global_rope_theta", 160_000.0)
    if not whole:
        theta = config.get("local_rope_theta", 10_000.0) or theta
    return frequencies(size, theta, stated)


def _spellings(name: str) -> Iterable[str]:
    return name, f"model.{name}"
