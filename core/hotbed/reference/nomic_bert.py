"""Nomic's forward in float64 numpy (arXiv:2402.01613), from the hub's code and transformers'."""

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
from hotbed.reference.rotary import frequencies, rotate, stretched

__all__ = ["forward", "layers", "turns_of"]

_HUB = {
    "layers.": "encoder.layers.",
    "embeddings.LayerNorm": "emb_ln",
    "self_attn.qkv": "attn.Wqkv",
    "self_attn.o_proj": "attn.out_proj",
    "mlp.up_proj": "mlp.fc11",
    "mlp.gate_proj": "mlp.fc12",
    "mlp.down_proj": "mlp.fc2",
    "post_attention_layernorm": "norm1",
    "post_mlp_layernorm": "norm2",
}
_GATES = {"swiglu": "silu", "geglu": "gelu", "glu": "sigmoid"}


def forward(folder: Path, config: dict[str, Any], batch: TokenBatch) -> NDArray[np.float32]:
    """Token embeddings, (batch, tokens, hidden) float32."""
    tensors = Tensors.open(folder, _spellings)
    hub = "n_embd" in config
    heads = config["n_head"] if hub else config["num_attention_heads"]
    depth = config["n_layer"] if hub else config["num_hidden_layers"]
    eps = config.get("layer_norm_epsilon", 1e-5) if hub else config.get("layer_norm_eps", 1e-12)
    gate = _GATES[config["activation_function"]] if hub else config.get("hidden_act", "silu")

    x = tensors.rows("embeddings.word_embeddings.weight", batch.input_ids)
    if tensors.has("embeddings.token_type_embeddings.weight"):
        x = x + tensors["embeddings.token_type_embeddings.weight"][0]
    x = tensors.layer_norm(x, "embeddings.LayerNorm", eps)
    turns = _hub_turns(config, batch) if hub else turns_of(config, batch, 1000.0)
    return layers(tensors, x, batch, depth, heads, turns, gate, eps).astype(np.float32)


def layers(
    tensors: Tensors,
    x: Doubles,
    batch: TokenBatch,
    depth: int,
    heads: int,
    turns: NDArray[np.float32],
    gate: str,
    eps: float,
) -> Doubles:
    """BERT's layers with rotary positions and a gate, (batch, tokens, hidden)."""
    seen = batch.attention_mask[:, None, None, :] != 0
    for layer in range(depth):
        at = f"layers.{layer}."
        query, key, value = (heads_split(part, heads) for part in _qkv(tensors, x, at))
        mixed = attend(rotate(query, turns), rotate(key, turns), value, seen)
        x = x + tensors.linear(heads_joined(mixed), f"{at}self_attn.o_proj")
        x = tensors.layer_norm(x, f"{at}post_attention_layernorm", eps)
        up, opened = _up_and_gate(tensors, x, at)
        x = x + tensors.linear(up * activation(gate)(opened), f"{at}mlp.down_proj")
        x = tensors.layer_norm(x, f"{at}post_mlp_layernorm", eps)
    return x


def _qkv(tensors: Tensors, x: Doubles, at: str) -> Iterable[Doubles]:
    if tensors.has(f"{at}self_attn.qkv.weight"):
        return np.split(tensors.linear(x, f"{at}self_attn.qkv"), 3, axis=-1)
    return [tensors.linear(x, f"{at}self_attn.{part}_proj") for part in "qkv"]


def _up_and_gate(tensors: Tensors, x: Doubles, at: str) -> Iterable[Doubles]:
    if tensors.has(f"{at}mlp.up_gate.weight"):
        return np.split(tensors.linear(x, f"{at}mlp.up_gate"), 2, axis=-1)
    return [tensors.linear(x, f"{at}mlp.{part}_proj") for part in ("up", "gate")]


def turns_of(config: dict[str, Any], batch: TokenBatch, theta: float) -> NDArray[np.float32]:
    """Frequencies as transformers' keys state them; ``theta`` where they do not."""
    size = config.get("head_dim") or config["hidden_size"] // config["num_attention_heads"]
    scaling = config.get("rope_scaling") or config.get("rope_parameters") or {}
    theta = scaling.get("rope_theta") or config.get("rope_theta", theta)
    if scaling.get("rope_type", scaling.get("type")) != "dynamic":
        return frequencies(size, theta, scaling)
    return _for_each_text(size, theta, scaling["factor"], config["max_position_embeddings"], batch)


def _hub_turns(config: dict[str, Any], batch: TokenBatch) -> NDArray[np.float32]:
    size, theta = config["n_embd"] // config["n_head"], config.get("rotary_emb_base", 10_000.0)
    factor = config.get("rotary_scaling_factor")
    if not factor:
        return frequencies(size, theta)
    return _for_each_text(size, theta, factor, config.get("max_trained_positions", 2048), batch)


def _for_each_text(
    size: int, theta: float, factor: float, trained: int, batch: TokenBatch
) -> NDArray[np.float32]:
    """Dynamic scaling by each text's own length, (batch, size / 2)."""
    counts = batch.attention_mask.sum(axis=1)
    return np.stack([stretched(size, theta, factor, trained, int(count)) for count in counts])


def _spellings(name: str) -> Iterable[str]:
    hub = name
    for part, there in _HUB.items():
        hub = hub.replace(part, there)
    for spelling in (name, hub):
        yield from (spelling, f"bert.{spelling}", f"nomic_bert.{spelling}")
