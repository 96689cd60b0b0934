"""Read model folders in the sentence-transformers layout."""

from __future__ import annotations

from hotbed.models.folder import ModelFolder, read_folder
from hotbed.models.modules import Dense, LayerNorm, Normalize, Pipeline
from hotbed.models.pooling import pool
from hotbed.models.weights import Weights

__all__ = [
    "Dense",
    "LayerNorm",
    "ModelFolder",
    "Normalize",
    "Pipeline",
    "Weights",
    "pool",
    "read_folder",
]
