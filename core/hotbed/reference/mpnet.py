"""MPNet's forward in float64 numpy (arXiv:2004.09297)."""

from __future__ import annotations

import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hotbed.backends import TokenBatch
from hotbed.reference import bert
from hotbed.reference.blocks import Doubles, Tensors
from hotbed.reference.roberta import positions

__all__ = ["forward"]


def forward(folder: Path, config: dict[str, Any], batch: TokenBatch) -> NDArray[np.float32]:
    """Token embeddings, (batch, tokens, hidden) float32."""
    tensors = Tensors.open(folder, _spellings)
    x = tensors.rows("embeddings.word_embeddings.weight", batch.input_ids)
    x = x + tensors["embeddings.position_embeddings.weight"][positions(batch.input_ids, 1)]
    x = tensors.layer_norm(x, "embeddings.LayerNorm", config.get("layer_norm_eps", 1e-12))
    bias = _bias(tensors["encoder.relative_attention_bias.weight"], x.shape[1])
    return bert.layers(tensors, config, x, batch, bias=bias).astype(np.float32)


def _bias(table: Doubles, tokens: int) -> Doubles:
    """What is added to the score of each pair, (1, heads, tokens, tokens)."""
    buckets = [[_bucket(j - i) for j in range(tokens)] for i in range(tokens)]
    return table[np.array(buckets)].transpose(2, 0, 1)[None]


def _bucket(distance: int) -> int:
    """0–7 for 0–7 tokens back, then 8–15 for twice as far every two; forward, 16 more."""
    back = abs(distance)
    bucket = back if back < 8 else min(15, 8 + int(8 * math.log(back / 8, 16)))
    return bucket + 16 if distance > 0 else bucket


def _spellings(name: str) -> Iterable[str]:
    name = name.replace("attention.self.query", "attention.attn.q")
    name = name.replace("attention.self.key", "attention.attn.k")
    name = name.replace("attention.self.value", "attention.attn.v")
    name = name.replace("attention.output.dense", "attention.attn.o")
    name = name.replace("attention.output.LayerNorm", "attention.LayerNorm")
    for spelling in bert.spellings(name):
        yield from (spelling, f"mpnet.{spelling}")
