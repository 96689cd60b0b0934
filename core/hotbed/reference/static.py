"""Static embeddings in float64 numpy: each token's row of the table, by model2vec's own words.

``embeddings[mapping[token]] * weights[token]``, where the last two are there.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hotbed.backends import TokenBatch
from hotbed.models.weights import Weights
from hotbed.reference.blocks import Doubles

__all__ = ["forward"]


def forward(folder: Path, config: dict[str, Any], batch: TokenBatch) -> NDArray[np.float32]:
    """Token embeddings, (batch, tokens, hidden) float32."""
    weights = Weights.open(folder)
    name = "embedding.weight" if "embedding.weight" in weights.names else "embeddings"
    rows = batch.input_ids
    if "mapping" in weights.names:
        rows = weights.whole("mapping")[rows]
    x = _doubles(weights, name)[rows]
    if "weights" in weights.names:
        x = x * _doubles(weights, "weights")[batch.input_ids][:, :, None]
    return x.astype(np.float32)


def _doubles(weights: Weights, name: str) -> Doubles:
    if weights.is_whole(name):
        return weights.whole(name).astype(np.float64)
    return weights.float32(name, weights.shape(name) or ()).astype(np.float64)
