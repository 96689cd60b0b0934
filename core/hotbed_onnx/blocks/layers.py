"""Attention and gated feed-forward parts, under the names that most families of today share.

``<layer>self_attn.{q,k,v,o}_proj`` and ``<layer>mlp.{gate,up,down}_proj``; a family's dialect says
what its files call them.
"""

from __future__ import annotations

import numpy as np
from attrs import evolve

from hotbed_onnx.attention import Attention
from hotbed_onnx.draft import Draft

__all__ = ["attention", "gated", "words"]


def words(draft: Draft, name: str, vocab: int, hidden: int, ids: str, *, times: float = 1.0) -> str:
    """Look up the tokens' rows of the word embeddings, multiplied with a number."""
    table = draft.table(
        "embeddings.word", name, (vocab, hidden), lambda rows: rows * np.float32(times)
    )
    return draft.graph.op("Gather", table, ids, axis=0)


def attention(
    draft: Draft, x: str, layer: str, hidden: int, how: Attention, *, biases: tuple[bool, bool]
) -> tuple[str, str]:
    """Project, attend, and project back.

    Args:
        draft: What to draw with.
        x: (batch, tokens, hidden).
        layer: Beginning of the layer's names.
        hidden: Width of x.
        how: The attention, less the bias of its projections.
        biases: Whether the first projections and the last one have a bias.

    Returns:
        (batch, tokens, hidden), and the bias that is still to be added, ``""`` for none.
    """
    graph, emit = draft.graph, draft.emit
    names = [f"{layer}self_attn.{part}_proj" for part in "qkv"]
    label = f"{layer}self_attn.qkv_proj"
    kernel = draft.kernel(label, names, how.widths, hidden)
    if biases[0]:
        how = evolve(how, bias=draft.bias(label, names, how.widths))
    mixed = emit.self_attention(graph, emit.linear(graph, x, kernel), how)
    last = f"{layer}self_attn.o_proj"
    projected = emit.linear(graph, mixed, draft.kernel(last, [last], [hidden], how.widths[0]))
    return projected, draft.vector(f"{last}.bias", hidden) if biases[1] else ""


def gated(
    draft: Draft,
    x: str,
    layer: str,
    hidden: int,
    inner: int,
    activation: str,
    *,
    biases: tuple[bool, bool] = (False, False),
) -> tuple[str, str]:
    """down(activation(gate(x)) · up(x)), as in Shazeer 2020, arXiv:2002.05202.

    Args:
        draft: What to draw with.
        x: (batch, tokens, hidden).
        layer: Beginning of the layer's names.
        hidden: Width of x.
        inner: Width of the gate.
        activation: Of the gate.
        biases: Whether the first projections and the last one have a bias.

    Returns:
        (batch, tokens, hidden), and the bias that is still to be added, ``""`` for none.
    """
    graph, emit = draft.graph, draft.emit
    names = [f"{layer}mlp.{part}_proj" for part in ("gate", "up")]
    label = f"{layer}mlp.gate_up_proj"
    packed = emit.linear(graph, x, draft.kernel(label, names, [inner, inner], hidden))
    if biases[0]:
        packed = graph.op("Add", packed, draft.bias(label, names, [inner, inner]))
    last = f"{layer}mlp.down_proj"
    kernel = draft.kernel(last, [last], [hidden], inner)
    narrowed = emit.linear(graph, emit.gated(graph, packed, activation), kernel)
    return narrowed, draft.vector(f"{last}.bias", hidden) if biases[1] else ""
