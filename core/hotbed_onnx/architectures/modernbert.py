"""ModernBERT: gte-modernbert, nomic's modernbert-embed, granite r2. arXiv:2412.13663.

Norms before each part and after the last; rotary positions; every third layer sees the whole text
and the others a window, each with frequencies of its own. The first layer has no attention norm:
the embeddings are normalised already.
"""

from __future__ import annotations

from attrs import frozen

from hotbed_onnx.attention import Attention
from hotbed_onnx.blocks.layers import attention, gated, words
from hotbed_onnx.blocks.pairs import near
from hotbed_onnx.blocks.rope import Rotation, nested_parameters, read_rotation, turn
from hotbed_onnx.checkpoint import Dialect, Layout
from hotbed_onnx.configuration import (
    FULL,
    SLIDING,
    Config,
    head_size,
    read_activation,
    read_layer_types,
    read_number,
    read_object,
    read_sizes,
)
from hotbed_onnx.draft import Draft

__all__ = ["LAYOUT", "encode"]

LAYOUT = Layout(
    dialects=[
        Dialect(
            renames={"self_attn.o_proj": "attn.Wo", "mlp.down_proj": "mlp.Wo"},
            packed={
                "self_attn.q_proj": ("attn.Wqkv", 0, 3),
                "self_attn.k_proj": ("attn.Wqkv", 1, 3),
                "self_attn.v_proj": ("attn.Wqkv", 2, 3),
                "mlp.gate_proj": ("mlp.Wi", 0, 2),
                "mlp.up_proj": ("mlp.Wi", 1, 2),
            },
        )
    ],
    prefixes=["", "model."],
    probes=["embeddings.tok_embeddings.weight", "final_norm.weight"],
    body=["embeddings.", "layers.", "final_norm."],
)


@frozen(kw_only=True)
class _Shape:
    vocab: int
    hidden: int
    heads: int
    inner: int
    positions: int
    kinds: list[str]
    reach: int
    rotations: dict[str, Rotation]
    activation: str
    eps: float
    norm_bias: bool
    attention_bias: bool
    mlp_bias: bool


def encode(draft: Draft, config: Config, ids: str, padding: str) -> tuple[str, int]:
    """Draw the encoder; gives ``last_hidden_state`` and its width.

    Raises:
        CorruptFileError: A size is missing or does not fit the others.
        UnsupportedModelError: The model is of a kind that this file does not describe.
    """
    graph, shape = draft.graph, _read(config)
    rows = words(draft, "embeddings.tok_embeddings.weight", shape.vocab, shape.hidden, ids)
    x = _norm(draft, shape, rows, "embeddings.norm")
    hows = {kind: _attention(draft, shape, kind, ids, padding) for kind in sorted(set(shape.kinds))}
    for number, kind in enumerate(shape.kinds):
        at = f"layers.{number}."
        normed = _norm(draft, shape, x, f"{at}attn_norm") if number else x
        both = (shape.attention_bias, shape.attention_bias)
        part, bias = attention(draft, normed, at, shape.hidden, hows[kind], biases=both)
        x = graph.op("Add", x, graph.op("Add", part, bias) if bias else part)
        normed = _norm(draft, shape, x, f"{at}mlp_norm")
        both = (shape.mlp_bias, shape.mlp_bias)
        part, bias = gated(
            draft, normed, at, shape.hidden, shape.inner, shape.activation, biases=both
        )
        x = graph.op("Add", x, graph.op("Add", part, bias) if bias else part)
    return _norm(draft, shape, x, "final_norm"), shape.hidden


def _norm(draft: Draft, shape: _Shape, x: str, name: str) -> str:
    scale = draft.vector(f"{name}.weight", shape.hidden)
    shift = draft.vector(f"{name}.bias", shape.hidden) if shape.norm_bias else ""
    return draft.emit.layer_norm(draft.graph, x, scale, shift, shape.eps)


def _attention(draft: Draft, shape: _Shape, kind: str, ids: str, padding: str) -> Attention:
    pairs = near(draft.graph, ids, shape.reach) if kind == SLIDING else ""
    return Attention(
        heads=shape.heads,
        head_size=shape.hidden // shape.heads,
        mask=draft.emit.mask(draft.graph, padding, pairs=pairs),
        rope=turn(draft, shape.rotations[kind], f"rope.{kind}", ids, padding, shape.positions),
    )


def _read(config: Config) -> _Shape:
    vocab, hidden, layers, heads, inner, positions = read_sizes(
        config,
        "vocab_size",
        "hidden_size",
        "num_hidden_layers",
        "num_attention_heads",
        "intermediate_size",
        "max_position_embeddings",
    )
    size = head_size(hidden, heads)
    every = int(read_number(config, "global_attn_every_n_layers", 3))
    return _Shape(
        vocab=vocab,
        hidden=hidden,
        heads=heads,
        inner=inner,
        positions=positions,
        kinds=read_layer_types(config, layers, lambda layer: layer % every == 0),
        reach=int(read_number(config, "local_attention", 128)) // 2,
        rotations={kind: _rotation(config, kind, size, positions) for kind in (FULL, SLIDING)},
        activation=read_activation(config, "hidden_activation", "gelu"),
        eps=read_number(config, "norm_eps", 1e-5),
        norm_bias=bool(config.get("norm_bias", False)),
        attention_bias=bool(config.get("attention_bias", False)),
        mlp_bias=bool(config.get("mlp_bias", False)),
    )


def _rotation(config: Config, kind: str, size: int, positions: int) -> Rotation:
    """The kind's own rotation; before transformers 5 only its base had a name of its own."""
    whole = read_number(config, "global_rope_theta", 160_000.0)
    local = whole if config.get("local_rope_theta", 0) is None else 10_000.0
    theta = whole if kind == FULL else read_number(config, "local_rope_theta", local)
    parameters = nested_parameters(config, kind) or read_object(config, "rope_scaling")
    return read_rotation(parameters, size=size, theta=theta, trained=positions)
