"""The encoder of Nomic and GTE: BERT with rotary positions and gated feed-forward parts.

Tensors are named as transformers names both; a family's dialects say what the hub's files call
them.
"""

from __future__ import annotations

import numpy as np
from attrs import frozen
from numpy.typing import NDArray

from hotbed_onnx.attention import Attention
from hotbed_onnx.blocks.layers import attention, gated
from hotbed_onnx.blocks.rope import Rotation, turn
from hotbed_onnx.draft import Draft

__all__ = ["PROBES", "RotaryEncoder", "encode"]

Floats = NDArray[np.float32]

_WORD = "embeddings.word_embeddings.weight"
_TYPE = "embeddings.token_type_embeddings.weight"

PROBES = (_WORD, "layers.0.self_attn.q_proj.weight", "layers.0.mlp.gate_proj.weight")
"""Names by which a checkpoint of this kind is recognised."""


@frozen(kw_only=True)
class RotaryEncoder:
    """The sizes and switches of such an encoder.

    Attributes:
        vocab: Rows of the word embeddings.
        hidden: Width.
        layers: Depth.
        heads: Attention heads.
        inner: Width of the gate.
        positions: The most tokens that the model is made for.
        types: Rows of the token type embeddings; 0 for none.
        activation: Of the gate.
        eps: Of every layer norm.
        rotation: How positions turn the heads.
        attention_bias: Whether the attention's projections have biases.
        gate_bias: Whether the gate's have.
        down_bias: Whether the projection after the gate has.
    """

    vocab: int
    hidden: int
    layers: int
    heads: int
    inner: int
    positions: int
    types: int
    activation: str
    eps: float
    rotation: Rotation
    attention_bias: bool
    gate_bias: bool
    down_bias: bool


def encode(draft: Draft, shape: RotaryEncoder, ids: str, padding: str) -> str:
    """Draw the encoder: (batch, tokens, hidden) float32 from (batch, tokens) int64."""
    graph, emit = draft.graph, draft.emit
    x = _norm(draft, shape, _embed(draft, shape, ids), "embeddings.LayerNorm")
    how = Attention(
        heads=shape.heads,
        head_size=shape.rotation.size,
        mask=emit.mask(graph, padding),
        rope=turn(draft, shape.rotation, "rope", ids, padding, shape.positions),
    )
    both = (shape.attention_bias, shape.attention_bias)
    gates = (shape.gate_bias, shape.down_bias)
    for number in range(shape.layers):
        at = f"layers.{number}."
        part, bias = attention(draft, x, at, shape.hidden, how, biases=both)
        x = _add_norm(draft, shape, part, x, bias, f"{at}post_attention_layernorm")
        part, bias = gated(draft, x, at, shape.hidden, shape.inner, shape.activation, biases=gates)
        x = _add_norm(draft, shape, part, x, bias, f"{at}post_mlp_layernorm")
    return x


def _embed(draft: Draft, shape: RotaryEncoder, ids: str) -> str:
    """word + type 0: every token is of type 0, so that row is added to the whole table here."""
    words, kinds = (shape.vocab, shape.hidden), (shape.types, shape.hidden)

    def add_type(rows: Floats) -> Floats:
        return rows + draft.tensors.read(_TYPE, kinds)[0]

    if shape.types:
        draft.tensors.claim(_TYPE, kinds)
        table = draft.table("embeddings.word", _WORD, words, add_type)
    else:
        table = draft.table("embeddings.word", _WORD, words)
    return draft.graph.op("Gather", table, ids, axis=0)


def _norm(draft: Draft, shape: RotaryEncoder, x: str, name: str) -> str:
    scale, shift = draft.scale_shift(name, shape.hidden)
    return draft.emit.layer_norm(draft.graph, x, scale, shift, shape.eps)


def _add_norm(draft: Draft, shape: RotaryEncoder, x: str, skip: str, bias: str, name: str) -> str:
    scale, shift = draft.scale_shift(name, shape.hidden)
    return draft.emit.add_norm(draft.graph, x, skip, bias, scale, shift, shape.eps)
