"""RoBERTa's forward in float64 numpy (arXiv:1907.11692): BERT with positions of its own.

CamemBERT and XLM-RoBERTa are the same.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hotbed.backends import TokenBatch
from hotbed.reference import bert
from hotbed.reference.blocks import Tensors

__all__ = ["forward", "positions"]


def forward(folder: Path, config: dict[str, Any], batch: TokenBatch) -> NDArray[np.float32]:
    """Token embeddings, (batch, tokens, hidden) float32."""
    tensors = Tensors.open(folder, _spellings)
    places = positions(batch.input_ids, config.get("pad_token_id", 1))
    x = tensors.rows("embeddings.word_embeddings.weight", batch.input_ids)
    x = x + tensors["embeddings.position_embeddings.weight"][places]
    if config.get("type_vocab_size", 2):
        x = x + tensors["embeddings.token_type_embeddings.weight"][0]
    x = tensors.layer_norm(x, "embeddings.LayerNorm", config.get("layer_norm_eps", 1e-12))
    return bert.layers(tensors, config, x, batch).astype(np.float32)


def positions(ids: NDArray[np.int64], pad_id: int) -> NDArray[np.int64]:
    """fairseq's positions: pad_id + 1, pad_id + 2, … on tokens, and pad_id on padding."""
    places = np.full_like(ids, pad_id)
    for row, text in enumerate(ids):
        real = np.flatnonzero(text != pad_id)
        places[row, real] = pad_id + 1 + np.arange(len(real))
    return places


def _spellings(name: str) -> Iterable[str]:
    for spelling in bert.spellings(name):
        yield from (spelling, f"roberta.{spelling}", f"camembert.{spelling}")
