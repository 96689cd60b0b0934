"""BERT: MiniLM, BGE, E5, GTE v1, Arctic. Devlin et al. 2018, arXiv:1810.04805.

Old checkpoints call the scale of a layer norm ``gamma`` and its shift ``beta``, and a checkpoint
of a whole BertModel-with-head puts ``bert.`` before every name.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from attrs import frozen
from numpy.typing import NDArray

from hotbed.errors import CorruptFileError, UnsupportedModelError
from hotbed.models.weights import Weights
from hotbed_onnx.graph import Graph
from hotbed_onnx.profiles import Emitter
from hotbed_onnx.profiles.activations import ACTIVATIONS

__all__ = ["BertConfig", "BertTensors", "encode"]

Floats = NDArray[np.float32]

_SIZES = (
    "vocab_size",
    "hidden_size",
    "num_hidden_layers",
    "num_attention_heads",
    "intermediate_size",
    "max_position_embeddings",
)


@frozen(kw_only=True)
class BertConfig:
    """The part of ``config.json`` that shapes the graph."""

    vocab: int
    hidden: int
    layers: int
    heads: int
    intermediate: int
    positions: int
    types: int
    activation: str
    eps: float

    @classmethod
    def read(cls, config: dict[str, Any]) -> BertConfig:
        """Read ``config.json``.

        Raises:
            CorruptFileError: A size is missing or does not fit the others.
            UnsupportedModelError: The model is of a kind that this file does not describe.
        """
        missing = [key for key in _SIZES if not isinstance(config.get(key), int)]
        if missing:
            raise CorruptFileError(f"config.json lacks {', '.join(missing)} (whole numbers)")
        kind = config.get("position_embedding_type", "absolute")
        if kind != "absolute":
            raise UnsupportedModelError(
                f"position_embedding_type is {kind!r}; the BERT builder knows 'absolute'"
            )
        if config.get("is_decoder"):
            raise UnsupportedModelError("is_decoder is set; the BERT builder writes encoders")
        activation = config.get("hidden_act", "gelu")
        if activation not in ACTIVATIONS:
            raise UnsupportedModelError(
                f"hidden_act is {activation!r}; the builder knows {', '.join(ACTIVATIONS)}"
            )
        if config["hidden_size"] % config["num_attention_heads"]:
            raise CorruptFileError(
                f"config.json: hidden_size {config['hidden_size']} is not a multiple of "
                f"num_attention_heads {config['num_attention_heads']}"
            )
        return cls(
            vocab=config["vocab_size"],
            hidden=config["hidden_size"],
            layers=config["num_hidden_layers"],
            heads=config["num_attention_heads"],
            intermediate=config["intermediate_size"],
            positions=config["max_position_embeddings"],
            types=int(config.get("type_vocab_size", 2)),
            activation=activation,
            eps=float(config.get("layer_norm_eps", 1e-12)),
        )


@frozen(kw_only=True)
class BertTensors:
    """The tensors of a BERT checkpoint under one set of names, read as float32."""

    weights: Weights
    prefix: str

    @classmethod
    def open(cls, weights: Weights) -> BertTensors:
        """Find the prefix: "" or ``bert.``."""
        probe = "embeddings.word_embeddings.weight"
        prefix = "" if probe in weights.names or f"bert.{probe}" not in weights.names else "bert."
        return cls(weights=weights, prefix=prefix)

    def read(self, name: str, shape: tuple[int, ...]) -> Floats:
        """Read one tensor by its present-day name."""
        return self.weights.float32(self.prefix + self._spelling(name), shape)

    def _spelling(self, name: str) -> str:
        if self.prefix + name in self.weights.names or "LayerNorm" not in name:
            return name
        old = name.replace("LayerNorm.weight", "LayerNorm.gamma")
        old = old.replace("LayerNorm.bias", "LayerNorm.beta")
        return old if self.prefix + old in self.weights.names else name


def encode(
    graph: Graph, emit: Emitter, weights: Weights, config: dict[str, Any], ids: str, mask: str
) -> tuple[str, int]:
    """Add the encoder to the graph.

    Returns:
        The value ``last_hidden_state``, (batch, tokens, hidden) float32, and ``hidden``.
    """
    shape = BertConfig.read(config)
    tensors = BertTensors.open(weights)
    x = _embed(graph, emit, tensors, shape, ids)
    attention_mask = emit.attention_mask(graph, mask)
    for layer in range(shape.layers):
        x = _layer(graph, emit, tensors, shape, x, attention_mask, f"encoder.layer.{layer}.")
    return x, shape.hidden


def _norm(graph: Graph, tensors: BertTensors, name: str, hidden: int) -> tuple[str, str]:
    scale = graph.weight(
        f"{name}.weight", (hidden,), lambda: tensors.read(f"{name}.weight", (hidden,))
    )
    shift = graph.weight(f"{name}.bias", (hidden,), lambda: tensors.read(f"{name}.bias", (hidden,)))
    return scale, shift


def _embed(graph: Graph, emit: Emitter, tensors: BertTensors, shape: BertConfig, ids: str) -> str:
    """word + position + type 0, normalised.

    An embedding model reads one text, so every token is of type 0, and that row is added to the
    positions once, here. The weights of the unused types are left out.
    """
    words = (shape.vocab, shape.hidden)
    word = graph.weight(
        "embeddings.word", words, lambda: tensors.read("embeddings.word_embeddings.weight", words)
    )

    def read_positions() -> Floats:
        position = tensors.read(
            "embeddings.position_embeddings.weight", (shape.positions, shape.hidden)
        )
        if not shape.types:
            return position
        kinds = tensors.read("embeddings.token_type_embeddings.weight", (shape.types, shape.hidden))
        return position + kinds[0]

    position = graph.weight(
        "embeddings.position_and_type", (shape.positions, shape.hidden), read_positions
    )
    scale, shift = _norm(graph, tensors, "embeddings.LayerNorm", shape.hidden)
    length = graph.op("Shape", ids, start=1, end=2)
    start, axis = graph.constant([0], "int64"), graph.constant([0], "int64")
    positions = graph.op("Slice", position, start, length, axis)
    summed = graph.op("Add", graph.op("Gather", word, ids, axis=0), positions)
    return emit.layer_norm(graph, summed, scale, shift, shape.eps)


def _layer(
    graph: Graph,
    emit: Emitter,
    tensors: BertTensors,
    shape: BertConfig,
    x: str,
    mask: str,
    prefix: str,
) -> str:
    def kernel(name: str, rows: int, columns: int) -> str:
        return graph.weight(
            f"{prefix}{name}.kernel",
            (columns, rows),
            lambda: tensors.read(f"{prefix}{name}.weight", (rows, columns)).T,
        )

    def bias(name: str, size: int) -> str:
        full = f"{prefix}{name}.bias"
        return graph.weight(full, (size,), lambda: tensors.read(full, (size,)))

    hidden, inner = shape.hidden, shape.intermediate
    projections = [f"{prefix}attention.self.{part}" for part in ("query", "key", "value")]
    packed_kernel = graph.weight(
        f"{prefix}attention.qkv.kernel",
        (hidden, 3 * hidden),
        lambda: (
            np.concatenate(
                [tensors.read(f"{name}.weight", (hidden, hidden)) for name in projections]
            ).T
        ),
    )
    packed_bias = graph.weight(
        f"{prefix}attention.qkv.bias",
        (3 * hidden,),
        lambda: np.concatenate([tensors.read(f"{name}.bias", (hidden,)) for name in projections]),
    )
    packed = emit.linear(graph, x, packed_kernel)
    mixed = emit.self_attention(
        graph, packed, packed_bias, mask, shape.heads, hidden // shape.heads
    )
    projected = emit.linear(graph, mixed, kernel("attention.output.dense", hidden, hidden))
    attended = emit.add_norm(
        graph,
        projected,
        x,
        bias("attention.output.dense", hidden),
        *_norm(graph, tensors, f"{prefix}attention.output.LayerNorm", hidden),
        shape.eps,
    )
    widened = emit.linear(graph, attended, kernel("intermediate.dense", inner, hidden))
    activated = emit.bias_activation(
        graph, widened, bias("intermediate.dense", inner), shape.activation
    )
    narrowed = emit.linear(graph, activated, kernel("output.dense", hidden, inner))
    return emit.add_norm(
        graph,
        narrowed,
        attended,
        bias("output.dense", hidden),
        *_norm(graph, tensors, f"{prefix}output.LayerNorm", hidden),
        shape.eps,
    )
