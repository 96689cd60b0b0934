"""A tiny model with a table large enough to be rounded, and texts for it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from hotbed.testing import build_tiny
from hotbed.testing.tiny import WORDS, bert_config, bert_tensors

__all__ = ["VOCABULARY", "drawn_texts", "large_table"]

VOCABULARY = 8200
"""Rows that make a table of 32 columns large enough to be rounded."""


def large_table(path: Path, **changes: Any) -> Path:
    """A tiny BERT with many rows of word embeddings; ``changes`` replace tensors."""
    config = {"vocab_size": VOCABULARY, "hidden_size": 32, "intermediate_size": 48}
    tensors = bert_tensors(bert_config(**config)) | changes
    return build_tiny(path, config=config, tensors=tensors)


def drawn_texts(count: int, seed: int) -> list[str]:
    """Different texts of one to twelve of the tiny tokenizer's words."""
    rng = np.random.default_rng(seed)
    words = [word for word in WORDS if word.isalpha()]
    found: set[str] = set()
    while len(found) < count:
        found.add(" ".join(rng.choice(words, size=rng.integers(1, 13))))
    return sorted(found)
