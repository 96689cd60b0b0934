"""A small numpy forward of each family: the reference that owes nothing to the graph builder."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hotbed.backends import TokenBatch
from hotbed.errors import UnsupportedModelError
from hotbed.models import pool, read_folder
from hotbed.models.heads import build_heads
from hotbed.reference.m3 import token_outputs

__all__ = ["FORWARDS", "sentence_embedding", "token_embeddings", "token_outputs"]

_HERE = "hotbed.reference"

FORWARDS = {
    "bert": f"{_HERE}.bert",
    "camembert": f"{_HERE}.roberta",
    "distilbert": f"{_HERE}.distilbert",
    "gemma3_text": f"{_HERE}.gemma3",
    "gte": f"{_HERE}.gte",
    "model2vec": f"{_HERE}.static",
    "modernbert": f"{_HERE}.modernbert",
    "mpnet": f"{_HERE}.mpnet",
    "new": f"{_HERE}.gte",
    "nomic_bert": f"{_HERE}.nomic_bert",
    "qwen3": f"{_HERE}.qwen3",
    "roberta": f"{_HERE}.roberta",
    "static": f"{_HERE}.static",
    "xlm-roberta": f"{_HERE}.roberta",
}
"""``config.model_type`` → the module with its forward."""


def token_embeddings(folder: Path, batch: TokenBatch) -> NDArray[np.float32]:
    """Token embeddings of a batch, (batch, tokens, hidden) float32."""
    model = read_folder(folder)
    if model.family not in FORWARDS:
        raise UnsupportedModelError(
            f"no numpy forward for model_type {model.family!r}; there is one for "
            f"{', '.join(FORWARDS)}"
        )
    forward = import_module(FORWARDS[model.family]).forward
    tokens: NDArray[np.float32] = forward(model.root, model.config, batch)
    return tokens


def sentence_embedding(folder: Path, batch: TokenBatch) -> NDArray[np.float32]:
    """Sentence embeddings of a batch after every module, (batch, d) float32."""
    model = read_folder(folder)
    tokens = token_embeddings(folder, batch)
    vectors = pool(tokens, batch.attention_mask, batch.pooling_mask, model.pipeline.pooling)
    for head in build_heads(folder, model.pipeline.heads):
        vectors = head(vectors)
    return vectors
