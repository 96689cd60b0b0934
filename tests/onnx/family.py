"""Hold a family's graph to its numpy reference, on every kind of batch."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hotbed import reference
from hotbed.backends import TokenBatch
from hotbed.backends.catalog import Catalog
from hotbed.backends.engine import Engine
from hotbed.models import read_folder
from hotbed.testing.tiny_batches import KINDS, make_batch
from tests.onnx.reference import build, open_graph

__all__ = ["PROFILES", "assert_equal_to_the_reference", "open_both"]

PROFILES = ("portable", "cpu")

Floats = NDArray[np.float32]


def open_both(path: Path) -> Callable[[TokenBatch], tuple[Floats, Floats]]:
    """Open a graph once; gives (token embeddings, sentence embeddings) of a batch."""
    engine, loaded = Engine(Catalog().get("onnx_cpu")), open_graph(path)
    names = ("token_embeddings", "sentence_embedding")

    def ask(batch: TokenBatch) -> tuple[Floats, Floats]:
        found = engine.embed(loaded, batch, names)
        return found[names[0]], found[names[1]]

    return ask


def assert_equal_to_the_reference(
    folder: Path,
    profile: str,
    *,
    longest: int,
    within: float = 2e-5,
    kinds: Iterable[str] = KINDS,
    config: Mapping[str, Any] | None = None,
) -> None:
    """On every kind of batch, tokens and sentences are those of the reference."""
    ask = open_both(build(folder, profile))
    config = read_folder(folder).config if config is None else config
    for kind in kinds:
        batch = make_batch(
            kind, vocab=config["vocab_size"], longest=longest, pad_id=config["pad_token_id"]
        )
        real = batch.attention_mask == 1
        tokens, sentences = ask(batch)
        expected = reference.token_embeddings(folder, batch)
        np.testing.assert_allclose(
            tokens[real], expected[real], rtol=within, atol=within, err_msg=kind
        )
        expected = reference.sentence_embedding(folder, batch)
        np.testing.assert_allclose(sentences, expected, atol=within, err_msg=kind)
