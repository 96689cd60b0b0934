"""Nomic embed v1 and v1.5. Nussbaum et al. 2024, arXiv:2402.01613.

Two configurations bear one ``model_type``: the hub's own, with GPT-2's keys, and transformers'.
Either may come with either spelling of the tensors. v2, a mixture of experts, is refused.
"""

from __future__ import annotations

from hotbed.errors import UnsupportedModelError
from hotbed_onnx.blocks import rotary_encoder
from hotbed_onnx.blocks.rope import Rotation, flat_parameters, read_rotation
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

_HUB = Dialect(
    renames={
        "layers.": "encoder.layers.",
        "embeddings.LayerNorm": "emb_ln",
        "self_attn.o_proj": "attn.out_proj",
        "mlp.up_proj": "mlp.fc11",
        "mlp.gate_proj": "mlp.fc12",
        "mlp.down_proj": "mlp.fc2",
        "post_attention_layernorm": "norm1",
        "post_mlp_layernorm": "norm2",
    },
    packed={
        "self_attn.q_proj": ("attn.Wqkv", 0, 3),
        "self_attn.k_proj": ("attn.Wqkv", 1, 3),
        "self_attn.v_proj": ("attn.Wqkv", 2, 3),
    },
)

LAYOUT = Layout(
    dialects=[_HUB, Dialect()],
    prefixes=["", "bert.", "nomic_bert."],
    probes=rotary_encoder.PROBES,
    body=["embeddings.", "emb_ln.", "encoder.", "layers."],
)

_GATES = {"swiglu": "silu", "geglu": "gelu", "glu": "sigmoid"}

_TRAINED = 2048
"""Tokens that the hub's models were trained on, where their configuration is silent."""

_INNER_STEP = 256
"""The hub's code rounds the width of the gate up to a multiple of this."""


def encode(draft: Draft, config: Config, ids: str, padding: str) -> tuple[str, int]:
    """Draw the encoder; gives ``last_hidden_state`` and its width.

    Raises:
        CorruptFileError: A size is missing or does not fit the others.
        UnsupportedModelError: The model is of a kind that this file does not describe.
    """
    shape = _read_hub(config) if "n_embd" in config else _read(config)
    return rotary_encoder.encode(draft, shape, ids, padding), shape.hidden


def _read(config: Config) -> rotary_encoder.RotaryEncoder:
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
    theta = read_number(config, "rope_theta", 1000.0)
    return rotary_encoder.RotaryEncoder(
        vocab=vocab,
        hidden=hidden,
        layers=layers,
        heads=heads,
        inner=inner,
        positions=positions,
        types=int(read_number(config, "type_vocab_size", 2)),
        activation=read_activation(config, "hidden_act", "silu"),
        eps=read_number(config, "layer_norm_eps", 1e-12),
        rotation=read_rotation(flat_parameters(config), size=size, theta=theta, trained=positions),
        attention_bias=False,
        gate_bias=False,
        down_bias=False,
    )


def _read_hub(config: Config) -> rotary_encoder.RotaryEncoder:
    refuse(
        config,
        "Nomic",
        {
            "prenorm": (False,),
            "causal": (False, None),
            "parallel_block": (False, None),
            "use_rms_norm": (False, None),
            "rotary_emb_fraction": (1.0,),
            "rotary_emb_interleaved": (False, None),
            "rotary_emb_scale_base": (None,),
            "rotary_head_dim": (False, None),
            "num_heads_kv": (None, config.get("n_head")),
            "moe_every_n_layers": (0, None),
            "num_experts": (0, None),
        },
    )
    gate = config.get("activation_function", "gelu")
    if gate not in _GATES:
        raise UnsupportedModelError(
            f"activation_function is {gate!r}; the Nomic builder knows {', '.join(_GATES)}"
        )
    vocab, hidden, layers, heads, inner, positions = read_sizes(
        config, "vocab_size", "n_embd", "n_layer", "n_head", "n_inner", "n_positions"
    )
    step = int(read_number(config, "pad_vocab_size_multiple", 1))
    return rotary_encoder.RotaryEncoder(
        vocab=_rounded_up(vocab, step),
        hidden=hidden,
        layers=layers,
        heads=heads,
        inner=_rounded_up(inner, _INNER_STEP),
        positions=positions,
        types=int(read_number(config, "type_vocab_size", 0)),
        activation=_GATES[gate],
        eps=read_number(config, "layer_norm_epsilon", 1e-5),
        rotation=_hub_rotation(config, head_size(hidden, heads, "n_head")),
        attention_bias=bool(config.get("qkv_proj_bias", True)),
        gate_bias=bool(config.get("mlp_fc1_bias", True)),
        down_bias=bool(config.get("mlp_fc2_bias", True)),
    )


def _hub_rotation(config: Config, size: int) -> Rotation:
    theta = read_number(config, "rotary_emb_base", 10_000.0)
    factor = read_number(config, "rotary_scaling_factor", 0.0)
    trained = int(read_number(config, "max_trained_positions", _TRAINED))
    kind = "dynamic" if factor else "default"
    return Rotation(size=size, theta=theta, kind=kind, factor=factor or 1.0, trained=trained)


def _rounded_up(value: int, step: int) -> int:
    return -(-value // step) * step
