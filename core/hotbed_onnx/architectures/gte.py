"""GTE v1.5, gte-multilingual and arctic-embed-m-v2.0. Zhang et al. 2024, arXiv:2407.19669.

``new`` is the hub's own model_type, ``gte`` transformers'; Snowflake's copy of the hub's code says
``gte`` as well, so tensors are recognised by their names.
"""

from __future__ import annotations

from hotbed_onnx.blocks import rotary_encoder
from hotbed_onnx.blocks.rope import flat_parameters, read_rotation
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

__all__ = ["LAYOUT", "encode"]

_HUB_NAMES = {
    "layers.": "encoder.layer.",
    "self_attn.": "attention.",
    "post_attention_layernorm": "attn_ln",
    "post_mlp_layernorm": "mlp_ln",
}
_HUB_GATE = {
    "mlp.up_proj": ("mlp.up_gate_proj", 0, 2),
    "mlp.gate_proj": ("mlp.up_gate_proj", 1, 2),
}
_HUB_PACKED = {
    **_HUB_GATE,
    "self_attn.q_proj": ("attention.qkv_proj", 0, 3),
    "self_attn.k_proj": ("attention.qkv_proj", 1, 3),
    "self_attn.v_proj": ("attention.qkv_proj", 2, 3),
}

LAYOUT = Layout(
    dialects=[
        Dialect(renames=_HUB_NAMES, packed=_HUB_PACKED),
        Dialect(renames=_HUB_NAMES, packed=_HUB_GATE),  # pack_qkv false
        Dialect(),
    ],
    prefixes=["", "new.", "gte."],
    probes=rotary_encoder.PROBES,
    body=["embeddings.", "encoder.", "layers."],
)

_THETA = {"new": 10_000.0, "gte": 160_000.0}


def encode(draft: Draft, config: Config, ids: str, padding: str) -> tuple[str, int]:
    """Draw the encoder; gives ``last_hidden_state`` and its width.

    Raises:
        CorruptFileError: A size is missing or does not fit the others.
        UnsupportedModelError: The model is of a kind that this file does not describe.
    """
    refuse(
        config,
        "GTE",
        {
            "position_embedding_type": ("rope", None),
            "layer_norm_type": ("layer_norm", None),
            "logn_attention_scale": (False, None),
            "is_decoder": (False, None),
        },
    )
    vocab, hidden, layers, heads, inner, positions = read_sizes(
        config,
        "vocab_size",
        "hidden_size",
        "num_hidden_layers",
        "num_attention_heads",
        "intermediate_size",
        "max_position_embeddings",
    )
    size = int(read_number(config, "head_dim", 0)) or head_size(hidden, heads)
    theta = read_number(config, "rope_theta", _THETA[str(config["model_type"])])
    shape = rotary_encoder.RotaryEncoder(
        vocab=vocab,
        hidden=hidden,
        layers=layers,
        heads=heads,
        inner=inner,
        positions=positions,
        types=int(read_number(config, "type_vocab_size", 1)),
        activation=read_activation(config, "hidden_act", "gelu"),
        eps=read_number(config, "layer_norm_eps", 1e-12),
        rotation=read_rotation(flat_parameters(config), size=size, theta=theta, trained=positions),
        attention_bias=True,
        gate_bias=False,
        down_bias=True,
    )
    return rotary_encoder.encode(draft, shape, ids, padding), hidden
