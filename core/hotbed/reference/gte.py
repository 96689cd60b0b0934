"""GTE's forward in float64 numpy (arXiv:2407.19669), from the hub's code and transformers'."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hotbed.backends import TokenBatch
from hotbed.reference.blocks import Tensors
from hotbed.reference.nomic_bert import layers, turns_of

__all__ = ["forward"]

_HUB = {
    "layers.": "encoder.layer.",
    "self_attn.qkv": "attention.qkv_proj",
    "self_attn.": "attention.",
    "mlp.up_gate": "mlp.up_gate_proj",
    "post_attention_layernorm": "attn_ln",
    "post_mlp_layernorm": "mlp_ln",
}


def forward(folder: Path, config: dict[str, Any], batch: TokenBatch) -> NDArray[np.float32]:
    """Token embeddings, (batch, tokens, hidden) float32."""
    tensors = Tensors.open(folder, _spellings)
    eps = config.get("layer_norm_eps", 1e-12)
    x = tensors.rows("embeddings.word_embeddings.weight", batch.input_ids)
    if config.get("type_vocab_size", 1):
        x = x + tensors["embeddings.token_type_embeddings.weight"][0]
    x = tensors.layer_norm(x, "embeddings.LayerNorm", eps)
    depth, heads = config["num_hidden_layers"], config["num_attention_heads"]
    turns = turns_of(config, batch, 10_000.0 if config["model_type"] == "new" else 160_000.0)
    gate = config.get("hidden_act", "gelu")
    return layers(tensors, x, batch, depth, heads, turns, gate, eps).astype(np.float32)


def _spellings(name: str) -> Iterable[str]:
    hub = name
    for part, there in _HUB.items():
        hub = hub.replace(part, there)
    for spelling in (name, hub):
        yield from (spelling, f"new.{spelling}", f"gte.{spelling}")
