"""The encoder of BERT and its kin: absolute positions, and a layer norm after each sum.

Tensors are named as in BERT; a family's dialect says what its own files call them.
"""

from __future__ import annotations

import numpy as np
from attrs import frozen
from numpy.typing import NDArray

from hotbed_onnx.attention import Attention, Mask
from hotbed_onnx.draft import Draft

__all__ = ["PROBES", "PostNorm", "encode"]

Floats = NDArray[np.float32]

_WORD = "embeddings.word_embeddings.weight"
_POSITION = "embeddings.position_embeddings.weight"
_TYPE = "embeddings.token_type_embeddings.weight"

PROBES = (_WORD, "encoder.layer.0.attention.self.query.weight")
"""Names by which a checkpoint of this kind is recognised."""


@frozen(kw_only=True)
class PostNorm:
    """The sizes and switches of such an encoder.

    Attributes:
        vocab: Rows of the word embeddings.
        hidden: Width.
        layers: Depth.
        heads: Attention heads.
        intermediate: Width inside the feed-forward part.
        positions: Rows of the position embeddings.
        types: Rows of the token type embeddings; 0 for none.
        activation: Of the feed-forward part.
        eps: Of every layer norm.
        pad_id: Where positions count tokens that are not this one, from ``pad_id + 1`` on; None
            where they are columns.
    """

    vocab: int
    hidden: int
    layers: int
    heads: int
    intermediate: int
    positions: int
    types: int
    activation: str
    eps: float
    pad_id: int | None = None


def encode(draft: Draft, shape: PostNorm, ids: str, padding: str, bias: str = "") -> str:
    """Draw the encoder.

    Args:
        draft: What to draw with.
        shape: The encoder.
        ids: (batch, tokens) int64.
        padding: (batch, tokens) int64, 0 on padding.
        bias: (1, heads, tokens, tokens) float32, added to every layer's scores; ``""``: nothing.

    Returns:
        (batch, tokens, hidden) float32.
    """
    x = _embed(draft, shape, ids)
    mask = draft.emit.mask(draft.graph, padding, bias=bias)
    for layer in range(shape.layers):
        x = _layer(draft, shape, x, mask, f"encoder.layer.{layer}.")
    return x


def _embed(draft: Draft, shape: PostNorm, ids: str) -> str:
    """word + position + type 0, normalised.

    An embedding model reads one text, so every token is of type 0, and that row is added to the
    positions once, here. The weights of the unused types are left out.
    """
    graph = draft.graph
    words, places = (shape.vocab, shape.hidden), (shape.positions, shape.hidden)
    kinds = (shape.types, shape.hidden)
    word = draft.table("embeddings.word", _WORD, words)

    def read_positions() -> Floats:
        position = draft.tensors.read(_POSITION, places)
        return position + draft.tensors.read(_TYPE, kinds)[0] if shape.types else position

    named = [_POSITION, _TYPE] if shape.types else [_POSITION]
    position = draft.computed(
        "embeddings.position_and_type", places, named, read_positions, [places, kinds][: len(named)]
    )
    scale, shift = draft.scale_shift("embeddings.LayerNorm", shape.hidden)
    if shape.pad_id is None:
        rows = _columns(draft, position, ids)
    else:
        rows = graph.op("Gather", position, _from_pad_id(draft, ids, shape.pad_id), axis=0)
    summed = graph.op("Add", graph.op("Gather", word, ids, axis=0), rows)
    return draft.emit.layer_norm(graph, summed, scale, shift, shape.eps)


def _columns(draft: Draft, position: str, ids: str) -> str:
    """The first rows of the position embeddings, one for each column."""
    graph = draft.graph
    length = graph.op("Shape", ids, start=1, end=2)
    start, axis = graph.constant([0], "int64"), graph.constant([0], "int64")
    return graph.op("Slice", position, start, length, axis)


def _from_pad_id(draft: Draft, ids: str, pad_id: int) -> str:
    """Positions as fairseq counts them: tokens from ``pad_id + 1`` on, padding at ``pad_id``.

    Padding is known by its number and not by the mask, as in transformers: a text that contains
    the padding token is counted in the same way.
    """
    graph = draft.graph
    pad = graph.constant(pad_id, "int64")
    real = graph.op("Cast", graph.op("Not", graph.op("Equal", ids, pad)), to=7)  # 7 = INT64
    counted = graph.op("CumSum", real, graph.constant(1, "int64"))
    return graph.op("Add", graph.op("Mul", counted, real), pad)


def _layer(draft: Draft, shape: PostNorm, x: str, mask: Mask, prefix: str) -> str:
    graph, emit = draft.graph, draft.emit
    hidden, inner = shape.hidden, shape.intermediate

    def linear(x: str, name: str, rows: int, columns: int) -> str:
        return emit.linear(graph, x, draft.kernel(prefix + name, [prefix + name], [rows], columns))

    def bias(name: str, size: int) -> str:
        return draft.vector(f"{prefix}{name}.bias", size)

    def norm(name: str) -> tuple[str, str]:
        return draft.scale_shift(prefix + name, hidden)

    qkv = [f"{prefix}attention.self.{part}" for part in ("query", "key", "value")]
    label = f"{prefix}attention.qkv"
    kernel = draft.kernel(label, qkv, [hidden] * 3, hidden)
    packed_bias = draft.bias(label, qkv, [hidden] * 3)
    how = Attention(heads=shape.heads, head_size=hidden // shape.heads, mask=mask, bias=packed_bias)
    mixed = emit.self_attention(graph, emit.linear(graph, x, kernel), how)
    attended = emit.add_norm(
        graph,
        linear(mixed, "attention.output.dense", hidden, hidden),
        x,
        bias("attention.output.dense", hidden),
        *norm("attention.output.LayerNorm"),
        shape.eps,
    )
    widened = linear(attended, "intermediate.dense", inner, hidden)
    activated = emit.bias_activation(
        graph, widened, bias("intermediate.dense", inner), shape.activation
    )
    return emit.add_norm(
        graph,
        linear(activated, "output.dense", hidden, inner),
        attended,
        bias("output.dense", hidden),
        *norm("output.LayerNorm"),
        shape.eps,
    )
