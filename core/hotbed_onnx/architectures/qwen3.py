"""Qwen3-Embedding. Zhang et al. 2025, arXiv:2506.05176.

A causal language model whose last token stands for the text: the folder pads on the left and its
tokenizer ends every text with a token of its own. ``is_causal`` false makes it see both ways.
"""

from __future__ import annotations

from hotbed.errors import CorruptFileError, UnsupportedModelError
from hotbed_onnx.blocks import decoder
from hotbed_onnx.blocks.rope import flat_parameters, read_rotation
from hotbed_onnx.configuration import (
    SLIDING,
    Config,
    read_activation,
    read_layer_types,
    read_number,
    read_sizes,
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
    vocab, hidden, layers, heads, inner, positions = read_sizes(
        config,
        "vocab_size",
        "hidden_size",
        "num_hidden_layers",
        "num_attention_heads",
        "intermediate_size",
        "max_position_embeddings",
    )
    size = int(read_number(config, "head_dim", 128))
    kinds, reach = _windows(config, layers)
    theta = read_number(config, "rope_theta", 10_000.0)
    rotation = read_rotation(flat_parameters(config), size=size, theta=theta, trained=positions)
    shape = decoder.Decoder(
        vocab=vocab,
        hidden=hidden,
        heads=heads,
        kv_heads=decoder.read_kv_heads(config, heads),
        inner=inner,
        positions=positions,
        kinds=kinds,
        causal=config.get("is_causal", True) is not False,
        reach=reach,
        rotations=dict.fromkeys(kinds, rotation),
        activation=read_activation(config, "hidden_act", "silu"),
        eps=read_number(config, "rms_norm_eps", 1e-6),
        scale=size**-0.5,
        attention_bias=bool(config.get("attention_bias", False)),
    )
    return decoder.encode(draft, shape, ids, padding), hidden


def _windows(config: Config, layers: int) -> tuple[list[str], int]:
    """Each layer's kind, and how many tokens before its own a token of a sliding layer sees."""
    window = int(read_number(config, "sliding_window", 4096))
    sliding = bool(config.get("use_sliding_window")) and config.get("sliding_window", 0) is not None
    first = int(read_number(config, "max_window_layers", 28))
    kinds = read_layer_types(config, layers, lambda layer: not sliding or layer < first)
    if SLIDING in kinds and not sliding:
        raise CorruptFileError(
            f"config.json: layer_types names {SLIDING}, and use_sliding_window is not set"
        )
    if SLIDING in kinds and config.get("is_causal", True) is False:
        raise UnsupportedModelError(
            f"is_causal is False and layer_types names {SLIDING}; the Qwen3 builder knows windows "
            f"in causal models only"
        )
    return kinds, window - 1
