"""EmbeddingGemma: the text part of Gemma 3, which sees both ways. arXiv:2509.20354.

Norms before and after each part, whose scales are stored less 1; word embeddings multiplied with
the root of their width; most layers see a window, each kind with frequencies of its own.
"""

from __future__ import annotations

import math

from hotbed_onnx.blocks import decoder
from hotbed_onnx.blocks.rope import Rotation, nested_parameters, read_rotation
from hotbed_onnx.configuration import (
    FULL,
    SLIDING,
    Config,
    read_activation,
    read_layer_types,
    read_number,
    read_object,
    read_sizes,
    refuse,
)
from hotbed_onnx.draft import Draft

__all__ = ["LAYOUT", "encode"]

LAYOUT = decoder.LAYOUT


def encode(draft: Draft, config: Config, ids: str, padding: str) -> tuple[str, int]:
    """Draw the model; gives ``last_hidden_state`` and its width.

    Raises:
        CorruptFileError: A size is missing or does not fit the others.
        UnsupportedModelError: The model is of a kind that this file does not describe.
    """
    refuse(config, "Gemma 3", {"attn_logit_softcapping": (None,), "is_causal": (True, None)})
    vocab, hidden, layers, heads, inner, positions = read_sizes(
        config,
        "vocab_size",
        "hidden_size",
        "num_hidden_layers",
        "num_attention_heads",
        "intermediate_size",
        "max_position_embeddings",
    )
    size = int(read_number(config, "head_dim", 256))
    every = int(read_number(config, "sliding_window_pattern", 6))
    window = int(read_number(config, "sliding_window", 4096))
    both_ways = bool(config.get("use_bidirectional_attention", False))
    shape = decoder.Decoder(
        vocab=vocab,
        hidden=hidden,
        heads=heads,
        kv_heads=decoder.read_kv_heads(config, heads),
        inner=inner,
        positions=positions,
        kinds=read_layer_types(config, layers, lambda layer: (layer + 1) % every == 0),
        causal=not both_ways,
        reach=window // 2 if both_ways else window - 1,
        rotations={kind: _rotation(config, kind, size, positions) for kind in (FULL, SLIDING)},
        activation=read_activation(config, "hidden_activation", "gelu_pytorch_tanh"),
        eps=read_number(config, "rms_norm_eps", 1e-6),
        scale=read_number(config, "query_pre_attn_scalar", 256) ** -0.5,
        attention_bias=bool(config.get("attention_bias", False)),
        times=math.sqrt(hidden),
        plus=1.0,
        after=True,
    )
    return decoder.encode(draft, shape, ids, padding), hidden


def _rotation(config: Config, kind: str, size: int, positions: int) -> Rotation:
    """The kind's own rotation; before transformers 5 scaling was for the whole text's alone."""
    theta = read_number(config, "rope_theta", 1_000_000.0)
    parameters = nested_parameters(config, kind)
    if kind == SLIDING:
        theta = read_number(config, "rope_local_base_freq", 10_000.0)
    else:
        parameters = parameters or read_object(config, "rope_scaling")
    return read_rotation(parameters, size=size, theta=theta, trained=positions)
