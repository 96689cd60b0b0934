"""DistilBERT's forward in float64 numpy (arXiv:1910.01108): BERT under other names."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hotbed.backends import TokenBatch
from hotbed.reference import bert
from hotbed.reference.blocks import Tensors

__all__ = ["forward"]

_LAYER = {
    "attention.self.query": "attention.q_lin",
    "attention.self.key": "attention.k_lin",
    "attention.self.value": "attention.v_lin",
    "attention.output.dense": "attention.out_lin",
    "attention.output.LayerNorm": "sa_layer_norm",
    "intermediate.dense": "ffn.lin1",
    "output.dense": "ffn.lin2",
    "output.LayerNorm": "output_layer_norm",
}


def forward(folder: Path, config: dict[str, Any], batch: TokenBatch) -> NDArray[np.float32]:
    """Token embeddings, (batch, tokens, hidden) float32."""
    tensors = Tensors.open(folder, _spellings)
    x = tensors.rows("embeddings.word_embeddings.weight", batch.input_ids)
    x = x + tensors["embeddings.position_embeddings.weight"][: x.shape[1]]
    x = tensors.layer_norm(x, "embeddings.LayerNorm", 1e-12)
    as_in_bert = {
        "num_hidden_layers": config["n_layers"],
        "num_attention_heads": config["n_heads"],
        "hidden_act": config.get("activation", "gelu"),
    }
    return bert.layers(tensors, as_in_bert, x, batch).astype(np.float32)


def _spellings(name: str) -> Iterable[str]:
    if ".layer." in name:
        number, part = name.rpartition(".layer.")[2].split(".", 1)
        part, kind = part.rsplit(".", 1)
        name = f"transformer.layer.{number}.{_LAYER[part]}.{kind}"
    for spelling in bert.spellings(name):
        yield from (spelling, f"distilbert.{spelling}")
