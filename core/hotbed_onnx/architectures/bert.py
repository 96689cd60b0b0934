"""BERT: MiniLM, BGE, E5, GTE v1, Arctic. Devlin et al. 2018, arXiv:1810.04805.

Old checkpoints call the scale of a layer norm ``gamma`` and its shift ``beta``, and a checkpoint
of a whole BertModel-with-head puts ``bert.`` before every name.
"""

from __future__ import annotations

from hotbed_onnx.blocks import post_norm
from hotbed_onnx.checkpoint import Dialect, Layout
from hotbed_onnx.configuration import (
    Config,
    head_size,
    read_activation,
    read_number,
    read_sizes,
    refuse,
)
from hotbed_onnx.draft import Draft

__all__ = ["GAMMA_BETA", "LAYOUT", "encode", "read"]

GAMMA_BETA = {"LayerNorm.weight": "LayerNorm.gamma", "LayerNorm.bias": "LayerNorm.beta"}

LAYOUT = Layout(
    dialects=[Dialect(second=GAMMA_BETA)],
    prefixes=["", "bert."],
    probes=post_norm.PROBES,
    body=["embeddings.", "encoder."],
)


def encode(draft: Draft, config: Config, ids: str, padding: str) -> tuple[str, int]:
    """Draw the encoder.

    Returns:
        The value ``last_hidden_state``, (batch, tokens, hidden) float32, and ``hidden``.
    """
    shape = read(config, "BERT")
    return post_norm.encode(draft, shape, ids, padding), shape.hidden


def read(config: Config, family: str) -> post_norm.PostNorm:
    """Read ``config.json``.

    Raises:
        CorruptFileError: A size is missing or does not fit the others.
        UnsupportedModelError: The model is of a kind that this file does not describe.
    """
    vocab, hidden, layers, heads, intermediate, positions = read_sizes(
        config,
        "vocab_size",
        "hidden_size",
        "num_hidden_layers",
        "num_attention_heads",
        "intermediate_size",
        "max_position_embeddings",
    )
    refuse(
        config,
        family,
        {"position_embedding_type": ("absolute", None), "is_decoder": (False, None)},
    )
    head_size(hidden, heads)
    return post_norm.PostNorm(
        vocab=vocab,
        hidden=hidden,
        layers=layers,
        heads=heads,
        intermediate=intermediate,
        positions=positions,
        types=int(read_number(config, "type_vocab_size", 2)),
        activation=read_activation(config, "hidden_act", "gelu"),
        eps=read_number(config, "layer_norm_eps", 1e-12),
    )
