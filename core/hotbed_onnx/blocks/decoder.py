"""The layers of today's language models, used as encoders: Qwen3 and Gemma 3.

RMS norms before each part, rotary positions, query heads that share keys, and queries and keys
that are normalised head by head. Tensors are named as transformers names them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from attrs import frozen

from hotbed.errors import CorruptFileError
from hotbed_onnx.attention import Attention, HeadNorm, Mask, Rope
from hotbed_onnx.blocks.layers import attention, gated, words
from hotbed_onnx.blocks.pairs import earlier, near
from hotbed_onnx.blocks.rope import Rotation, turn
from hotbed_onnx.checkpoint import Dialect, Layout
from hotbed_onnx.configuration import SLIDING, Config, read_sizes
from hotbed_onnx.draft import Draft

__all__ = ["LAYOUT", "Decoder", "encode", "read_kv_heads"]

LAYOUT = Layout(
    dialects=[Dialect()],
    prefixes=["", "model."],
    probes=["embed_tokens.weight", "norm.weight"],
    body=["embed_tokens.", "layers.", "norm."],
)


@frozen(kw_only=True)
class Decoder:
    """The sizes and switches of such a model.

    Attributes:
        vocab: Rows of the word embeddings.
        hidden: Width.
        heads: Query heads.
        kv_heads: Heads of keys and values.
        inner: Width of the gate.
        positions: The most tokens that the model is made for.
        kinds: Each layer's kind.
        causal: Whether a token sees only itself and what is before it.
        reach: How many tokens away a sliding layer sees.
        rotations: Kind of layer → how positions turn its heads.
        activation: Of the gate.
        eps: Of every norm.
        scale: What scores are multiplied with.
        attention_bias: Whether the attention's projections have biases.
        times: What word embeddings are multiplied with.
        plus: What is added to every norm's scale.
        after: Whether a norm follows each part as well.
    """

    vocab: int
    hidden: int
    heads: int
    kv_heads: int
    inner: int
    positions: int
    kinds: Sequence[str]
    causal: bool
    reach: int
    rotations: Mapping[str, Rotation]
    activation: str
    eps: float
    scale: float
    attention_bias: bool
    times: float = 1.0
    plus: float = 0.0
    after: bool = False


def read_kv_heads(config: Config, heads: int) -> int:
    """Read how many heads keys and values have; null means as many as queries.

    Raises:
        CorruptFileError: The query heads cannot share them evenly.
    """
    if config.get("num_key_value_heads", 0) is None:
        return heads
    (kv_heads,) = read_sizes(config, "num_key_value_heads")
    if kv_heads < 1 or heads % kv_heads:
        raise CorruptFileError(
            f"config.json: num_attention_heads {heads} is not a multiple of "
            f"num_key_value_heads {kv_heads}"
        )
    return kv_heads


@frozen
class _View:
    """What the layers of one kind share."""

    mask: Mask
    rope: Rope
    size: int


def encode(draft: Draft, shape: Decoder, ids: str, padding: str) -> str:
    """Draw the model: (batch, tokens, hidden) float32 from (batch, tokens) int64."""
    x = words(draft, "embed_tokens.weight", shape.vocab, shape.hidden, ids, times=shape.times)
    views = {kind: _view(draft, shape, kind, ids, padding) for kind in sorted(set(shape.kinds))}
    before_mlp = "pre_feedforward_layernorm" if shape.after else "post_attention_layernorm"
    both = (shape.attention_bias, shape.attention_bias)
    for number, kind in enumerate(shape.kinds):
        at = f"layers.{number}."
        normed = _norm(draft, shape, x, f"{at}input_layernorm")
        how = _attention(draft, shape, views[kind], at)
        part, bias = attention(draft, normed, at, shape.hidden, how, biases=both)
        x = _add(draft, shape, x, part, bias, f"{at}post_attention_layernorm")
        normed = _norm(draft, shape, x, at + before_mlp)
        part, bias = gated(draft, normed, at, shape.hidden, shape.inner, shape.activation)
        x = _add(draft, shape, x, part, bias, f"{at}post_feedforward_layernorm")
    return _norm(draft, shape, x, "norm")


def _add(draft: Draft, shape: Decoder, x: str, part: str, bias: str, name: str) -> str:
    graph = draft.graph
    part = graph.op("Add", part, bias) if bias else part
    return graph.op("Add", x, _norm(draft, shape, part, name) if shape.after else part)


def _norm(draft: Draft, shape: Decoder, x: str, name: str) -> str:
    scale = draft.vector(f"{name}.weight", shape.hidden, plus=shape.plus)
    return draft.emit.rms_norm(draft.graph, x, scale, shape.eps)


def _view(draft: Draft, shape: Decoder, kind: str, ids: str, padding: str) -> _View:
    reach = shape.reach if kind == SLIDING else None
    pairs = ""
    if shape.causal:
        pairs = earlier(draft.graph, ids, reach)
    elif reach is not None:
        pairs = near(draft.graph, ids, reach)
    rotation = shape.rotations[kind]
    return _View(
        draft.emit.mask(
            draft.graph, padding, pairs=pairs, shared_keys=shape.kv_heads != shape.heads
        ),
        turn(draft, rotation, f"rope.{kind}", ids, padding, shape.positions),
        rotation.size,
    )


def _attention(draft: Draft, shape: Decoder, view: _View, at: str) -> Attention:
    scales = (
        draft.vector(f"{at}self_attn.{part}_norm.weight", view.size, plus=shape.plus)
        for part in "qk"
    )
    return Attention(
        heads=shape.heads,
        kv_heads=shape.kv_heads,
        head_size=view.size,
        mask=view.mask,
        scale=shape.scale,
        rope=view.rope,
        norm=HeadNorm(query=next(scales), key=next(scales), eps=shape.eps),
    )
