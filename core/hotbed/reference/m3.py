"""BGE-M3's further heads in float64 numpy, from the paper (arXiv:2402.03216) and FlagEmbedding."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hotbed.backends import TokenBatch
from hotbed.models import read_folder
from hotbed.models.token_heads import COLBERT, SPARSE, read_linear
from hotbed.reference.blocks import Doubles

__all__ = ["token_outputs"]


def token_outputs(
    folder: Path, tokens: NDArray[np.float32], batch: TokenBatch
) -> dict[str, NDArray[np.float32]]:
    """The outputs of the heads that a folder holds, zero on padding.

    Args:
        folder: The model folder.
        tokens: Its token embeddings, (batch, tokens, hidden).
        batch: For the mask.

    Returns:
        ``sparse``, (batch, tokens) float32, and ``colbert``, (batch, tokens, d) float32.
    """
    model = read_folder(folder)
    seen = (batch.attention_mask != 0)[:, :, None]
    found: dict[str, NDArray[np.float32]] = {}
    for name, file in model.token_heads.items():
        layer = read_linear(folder / file, tokens.shape[-1])
        x: Doubles = tokens.astype(np.float64) @ layer.weight.T.astype(np.float64) + layer.bias
        if name == SPARSE:
            found[name] = (np.maximum(x, 0) * seen)[:, :, 0].astype(np.float32)
        if name == COLBERT:
            lengths = np.linalg.norm(x * seen, axis=-1, keepdims=True)
            found[name] = (x * seen / np.maximum(lengths, 1e-12)).astype(np.float32)
    return found
