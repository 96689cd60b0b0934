"""Static embeddings: sentence-transformers' StaticEmbedding, and model2vec's potion models.

A row of a table for each token (Tulkens and van Dongen 2024, Model2Vec), and no transformer; the
mean that follows is the folder's pooling. Where model2vec has quantised the vocabulary, tokens
share rows: ``mapping`` says which, and ``weights`` how much of it. The graph keeps the three apart,
as the file does, and stays as small.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hotbed.errors import CorruptFileError
from hotbed_onnx.checkpoint import Checkpoint, Dialect, Layout
from hotbed_onnx.configuration import Config
from hotbed_onnx.draft import Draft

__all__ = ["LAYOUT", "TOKEN_BUDGET", "encode"]

TOKEN_BUDGET = 2_048
"""Padded tokens in a batch: a look-up is so short that calling the runtime is half of it; beyond
some megabytes of rows the cache is lost."""

_TABLE, _MAPPING, _WEIGHTS = "embedding.weight", "mapping", "weights"

LAYOUT = Layout(
    dialects=[Dialect(), Dialect(renames={_TABLE: "embeddings"})],
    prefixes=[""],
    probes=[_TABLE],
    body=["embedding", _MAPPING, _WEIGHTS],
)


def encode(draft: Draft, config: Config, ids: str, padding: str) -> tuple[str, int]:
    """Draw the look-up; gives ``last_hidden_state`` and its width.

    Raises:
        CorruptFileError: There is no table, or ``mapping`` and ``weights`` do not fit it.
    """
    graph, tensors = draft.graph, draft.tensors
    count, width = _sizes(tensors)
    rows = ids
    if tensors.holds(_MAPPING):
        tokens = _length(tensors, _MAPPING)
        tensors.claim(_MAPPING, (tokens,))
        mapping = graph.weight(_MAPPING, (tokens,), lambda: _mapping(tensors, count), "int32")
        rows = graph.op("Gather", mapping, ids, axis=0)
    table = draft.computed(_TABLE, (count, width), [_TABLE], lambda: _table(tensors, count, width))
    x = graph.op("Gather", table, rows, axis=0)
    if tensors.holds(_WEIGHTS):
        weights = draft.vector(_WEIGHTS, _length(tensors, _WEIGHTS))
        factors = graph.op("Gather", weights, ids, axis=0)
        x = graph.op("Mul", x, graph.op("Unsqueeze", factors, graph.constant([2], "int64")))
    return x, width


def _sizes(tensors: Checkpoint) -> tuple[int, int]:
    shape = tensors.shape(_TABLE)
    if shape is None or len(shape) != 2:
        found = "it holds none" if shape is None else f"its shape is {shape}"
        raise CorruptFileError(
            f"{tensors.weights.path}: a static embedding is a table of two axes, called "
            f"embedding.weight or embeddings; {found}"
        )
    return shape[0], shape[1]


def _length(tensors: Checkpoint, name: str) -> int:
    """Tokens that a vector has an entry for."""
    shape = tensors.shape(name) or ()
    if len(shape) != 1:
        raise CorruptFileError(
            f"{tensors.weights.path}: {name} has the shape {shape}, and one number for each token "
            f"is expected"
        )
    return shape[0]


def _table(tensors: Checkpoint, count: int, width: int) -> NDArray[np.float32]:
    """The table. model2vec stores int8 without a scale: the numbers themselves are averaged."""
    if tensors.is_whole(_TABLE):
        return tensors.whole(_TABLE).astype(np.float32)
    return tensors.read(_TABLE, (count, width))


def _mapping(tensors: Checkpoint, count: int) -> NDArray[np.int64]:
    rows = tensors.whole(_MAPPING)
    if rows.size and not 0 <= rows.min() <= rows.max() < count:
        raise CorruptFileError(
            f"{tensors.weights.path}: mapping points at the rows {rows.min()} to {rows.max()}, and "
            f"the table has {count}"
        )
    return rows
