"""MPNet: all-mpnet-base, multi-qa-mpnet, paraphrase-mpnet. Song et al. 2020, arXiv:2004.09297.

RoBERTa without token types, whose layers share one bias on the scores that grows with the distance
of two tokens, in buckets as in T5 (Raffel et al. 2019, arXiv:1910.10683).
"""

from __future__ import annotations

import math

import numpy as np
from attrs import evolve
from numpy.typing import NDArray

from hotbed.errors import CorruptFileError
from hotbed_onnx.architectures import bert
from hotbed_onnx.blocks import post_norm
from hotbed_onnx.blocks.pairs import distance
from hotbed_onnx.checkpoint import Dialect, Layout
from hotbed_onnx.configuration import Config, read_number
from hotbed_onnx.draft import Draft

__all__ = ["LAYOUT", "encode"]

Floats = NDArray[np.float32]

_PAD_ID, _BUCKETS, _FARTHEST = 1, 32, 128
"""Fixed in the model, whatever the configuration says; from 128 tokens on, farther is the same."""

_RELATIVE = "encoder.relative_attention_bias.weight"

LAYOUT = Layout(
    dialects=[
        Dialect(
            renames={
                "attention.self.query": "attention.attn.q",
                "attention.self.key": "attention.attn.k",
                "attention.self.value": "attention.attn.v",
                "attention.output.dense": "attention.attn.o",
                "attention.output.LayerNorm": "attention.LayerNorm",
            },
            second=bert.GAMMA_BETA,
        )
    ],
    prefixes=["", "mpnet."],
    probes=post_norm.PROBES,
    body=["embeddings.", "encoder."],
)


def encode(draft: Draft, config: Config, ids: str, padding: str) -> tuple[str, int]:
    """Draw the encoder; gives ``last_hidden_state`` and its width.

    Raises:
        CorruptFileError: A size is missing or does not fit the others.
        UnsupportedModelError: The model is of a kind that this file does not describe.
    """
    shape = evolve(bert.read(config, "MPNet"), types=0, pad_id=_PAD_ID)
    rows = int(read_number(config, "relative_attention_num_buckets", _BUCKETS))
    if rows < _BUCKETS:
        raise CorruptFileError(
            f"config.json: relative_attention_num_buckets is {rows}; MPNet uses {_BUCKETS}"
        )
    bias = _distance_bias(draft, ids, rows, shape.heads)
    return post_norm.encode(draft, shape, ids, padding, bias), shape.hidden


def _distance_bias(draft: Draft, ids: str, rows: int, heads: int) -> str:
    """The bias on the scores, (1, heads, tokens, tokens) float32.

    It depends on a pair's distance alone, so it is tabulated by distance here, and the graph looks
    it up.
    """
    graph = draft.graph

    def read() -> Floats:
        distances = np.arange(-_FARTHEST, _FARTHEST + 1)
        return draft.tensors.read(_RELATIVE, (rows, heads))[_bucket(distances)]

    table = draft.computed(
        "encoder.bias_by_distance", (2 * _FARTHEST + 1, heads), [_RELATIVE], read, [(rows, heads)]
    )
    least, most = (graph.constant(end, "int64") for end in (-_FARTHEST, _FARTHEST))
    row = graph.op("Add", graph.op("Clip", distance(graph, ids), least, most), most)
    bias = graph.op("Transpose", graph.op("Gather", table, row, axis=0), perm=[2, 0, 1])
    return graph.op("Unsqueeze", bias, graph.constant([0], "int64"))


def _bucket(distances: NDArray[np.int64]) -> NDArray[np.int64]:
    """T5's buckets: half for each direction, of which half are exact and half logarithmic."""
    half, exact = _BUCKETS // 2, _BUCKETS // 4
    far = np.abs(distances)
    octaves = np.log2(np.maximum(far, exact) / exact) / math.log2(_FARTHEST / exact)
    logarithmic = exact + np.floor(octaves * (half - exact)).astype(np.int64)
    bucket = np.where(far < exact, far, np.minimum(logarithmic, half - 1))
    return np.where(distances > 0, half, 0) + bucket
