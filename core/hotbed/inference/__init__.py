"""Texts in, vectors out."""

from __future__ import annotations

from hotbed.inference.embedder import Embedder
from hotbed.inference.outputs import quantize_embeddings
from hotbed.inference.token_outputs import SparseVector

__all__ = ["Embedder", "SparseVector", "quantize_embeddings"]
