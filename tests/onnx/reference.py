"""Run a built graph beside the numpy reference."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hotbed.backends import Artifact, Loaded, LoadOptions, TokenBatch, Variant
from hotbed.backends.catalog import Catalog
from hotbed.backends.engine import Engine
from hotbed.inference.tokenisation import Tokenizer
from hotbed.models import read_folder
from hotbed.testing import TEXTS
from hotbed_onnx import build_model
from hotbed_onnx.model import open_model

__all__ = ["build", "embed", "open_graph", "token_batch"]


def token_batch(folder: Path, prompt: str = "") -> TokenBatch:
    """The tiny texts as one padded batch, the prompt left out of pooling if there is one."""
    tokenizer = Tokenizer.open(read_folder(folder))
    tokens = tokenizer.encode(TEXTS, prompt, drop_prompt=bool(prompt))
    return tokenizer.batch(tokens, np.arange(len(TEXTS)))


def build(folder: Path, profile: str) -> Path:
    """Build a folder's graph."""
    path = folder.parent / f"{profile}.onnx"
    build_model(read_folder(folder), path, profile=profile)
    return path


def open_graph(path: Path, **options: Any) -> Loaded:
    """Open a graph on the CPU."""
    artifact = Artifact(
        folder=path.parent, path=path, variant=Variant(format="onnx", file=path.name)
    )
    return open_model(artifact, LoadOptions(**options), provider="CPUExecutionProvider")


def embed(path: Path, batch: TokenBatch, output: str = "sentence_embedding") -> NDArray[np.float32]:
    """Open a graph, run a batch through the backend's hooks, and give one output."""
    engine = Engine(Catalog().get("onnx_cpu"))
    loaded = open_graph(path)
    result = engine.embed(loaded, batch, (output,))[output]
    engine.close(loaded)
    return result
