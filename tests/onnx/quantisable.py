"""Tiny models to be rounded, texts for them, and what comes of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hotbed.backends import Artifact, LoadOptions, Recipe, TokenBatch, Variant
from hotbed.backends.engine import Engine
from hotbed.conversion import calibration
from hotbed.inference.tokenisation import Tokenizer
from hotbed.models import read_folder
from hotbed.testing import TEXTS, build_tiny
from hotbed.testing.tiny import WORDS, bert_config, bert_tensors
from hotbed.testing.tiny_families import build_family
from tests.onnx.reference import build

__all__ = [
    "VOCABULARY",
    "artifact_of",
    "batches_of",
    "drawn_texts",
    "family",
    "large_table",
    "vectors",
    "written",
]

Floats = NDArray[np.float32]

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


def family(path: Path, name: str) -> Path:
    """A small model of a family, with a table that is large enough to be rounded."""
    if name == "bert":
        return large_table(path)
    return build_family(path, name, seed=3)


def artifact_of(folder: Path, profile: str) -> Artifact:
    """The folder's float32 graph."""
    path = build(folder, profile)
    variant = Variant(format="onnx", file=path.name, storage="float32", profile=profile)
    return Artifact(folder=folder, path=path, variant=variant)


def batches_of(folder: Path) -> tuple[TokenBatch, ...]:
    """The tiny texts for calibration."""
    return calibration(read_folder(folder), [text for text in TEXTS if text])


def written(engine: Engine, artifact: Artifact, out: Path, recipe: Recipe) -> Artifact:
    """Quantise, and give the file."""
    out.mkdir(exist_ok=True)
    (variant,) = engine.quantize(artifact, recipe, batches_of(artifact.folder), out)
    return Artifact(folder=artifact.folder, path=out / variant.file, variant=variant)


def vectors(engine: Engine, artifact: Artifact, texts: tuple[str, ...] = TEXTS) -> Floats:
    """Sentence embeddings of texts in one batch."""
    tokenizer = Tokenizer.open(read_folder(artifact.folder))
    batch = tokenizer.batch(tokenizer.encode(list(texts)), np.arange(len(texts)))
    loaded = engine.load(artifact, LoadOptions(dtype="float32"))
    found = engine.embed(loaded, batch, ("sentence_embedding",))["sentence_embedding"]
    engine.close(loaded)
    return found
