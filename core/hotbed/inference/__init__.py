"""Texts in, vectors out."""

from __future__ import annotations

from hotbed.inference.embedder import Embedder
from hotbed.inference.outputs import quantize_embeddings

__all__ = ["Embedder", "quantize_embeddings"]
