"""BERT's forward in float64 numpy, written from the paper (arXiv:1810.04805) and transformers."""

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

__all__ = ["forward", "layers", "spellings"]


def spellings(name: str) -> Iterable[str]:
    """Today's name; with a head's prefix; and the names that layer norms had at first."""
    old = name.replace("LayerNorm.weight", "LayerNorm.gamma")
    old = old.replace("LayerNorm.bias", "LayerNorm.beta")
    return name, f"bert.{name}", old, f"bert.{old}"


def forward(folder: Path, config: dict[str, Any], batch: TokenBatch) -> NDArray[np.float32]:
    """Token embeddings, (batch, tokens, hidden) float32."""
    tensors = Tensors.open(folder, spellings)
    x = tensors.rows("embeddings.word_embeddings.weight", batch.input_ids)
    x = x + tensors["embeddings.position_embeddings.weight"][: x.shape[1]]
    if config.get("type_vocab_size", 2):
        x = x + tensors["embeddings.token_type_embeddings.weight"][0]
    x = tensors.layer_norm(x, "embeddings.LayerNorm", config.get("layer_norm_eps", 1e-12))
    return layers(tensors, config, x, batch).astype(np.float32)


def layers(
    tensors: Tensors,
    config: dict[str, Any],
    x: Doubles,
    batch: TokenBatch,
    *,
    bias: Doubles | float = 0.0,
) -> Doubles:
    """BERT's layers on embedded tokens, (batch, tokens, hidden).

    Args:
        tensors: Under BERT's names.
        config: With BERT's keys.
        x: The embeddings.
        batch: For the mask.
        bias: Added to every layer's scores.
    """
    eps = config.get("layer_norm_eps", 1e-12)
    heads = config["num_attention_heads"]
    activate = activation(config.get("hidden_act", "gelu"))
    seen = batch.attention_mask[:, None, None, :] != 0
    for layer in range(config["num_hidden_layers"]):
        at = f"encoder.layer.{layer}."
        query, key, value = (
            heads_split(tensors.linear(x, f"{at}attention.self.{part}"), heads)
            for part in ("query", "key", "value")
        )
        mixed = heads_joined(attend(query, key, value, seen, bias=bias))
        attended = x + tensors.linear(mixed, f"{at}attention.output.dense")
        attended = tensors.layer_norm(attended, f"{at}attention.output.LayerNorm", eps)
        inner = activate(tensors.linear(attended, f"{at}intermediate.dense"))
        x = attended + tensors.linear(inner, f"{at}output.dense")
        x = tensors.layer_norm(x, f"{at}output.LayerNorm", eps)
    return x
