"""Tiny language models used as encoders: Qwen3 and Gemma 3."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hotbed.testing.tiny import bert_config
from hotbed.testing.tiny_rotary import Tensors, draw

__all__ = ["decoder_tensors", "gemma3_config", "qwen3_config"]


def qwen3_config(**changes: Any) -> dict[str, Any]:
    """A ``config.json`` of a tiny Qwen3, as transformers 4 wrote it."""
    return {
        "architectures": ["Qwen3ForCausalLM"],
        "model_type": "qwen3",
        "vocab_size": bert_config()["vocab_size"],
        "hidden_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "head_dim": 12,
        "intermediate_size": 24,
        "max_position_embeddings": 40,
        "hidden_act": "silu",
        "rms_norm_eps": 1e-6,
        "rope_theta": 1000000.0,
        "rope_scaling": None,
        "attention_bias": False,
        "use_sliding_window": False,
        "sliding_window": None,
        "max_window_layers": 2,
        "pad_token_id": 0,
        "bos_token_id": 3,
        "eos_token_id": 3,
        **changes,
    }


def gemma3_config(**changes: Any) -> dict[str, Any]:
    """A ``config.json`` of a tiny EmbeddingGemma, as transformers 4 wrote it."""
    return {
        "architectures": ["Gemma3TextModel"],
        "model_type": "gemma3_text",
        "vocab_size": bert_config()["vocab_size"],
        "hidden_size": 32,
        "num_hidden_layers": 3,
        "num_attention_heads": 4,
        "num_key_value_heads": 1,
        "head_dim": 8,
        "intermediate_size": 24,
        "max_position_embeddings": 40,
        "hidden_activation": "gelu_pytorch_tanh",
        "rms_norm_eps": 1e-6,
        "query_pre_attn_scalar": 8,
        "rope_theta": 1000000.0,
        "rope_local_base_freq": 10000.0,
        "rope_scaling": None,
        "attention_bias": False,
        "attn_logit_softcapping": None,
        "final_logit_softcapping": None,
        "sliding_window": 12,
        "layer_types": ["sliding_attention", "full_attention", "sliding_attention"],
        "use_bidirectional_attention": True,
        "pad_token_id": 0,
        "bos_token_id": 2,
        "eos_token_id": 3,
        **changes,
    }


def decoder_tensors(config: Mapping[str, Any], seed: int = 0, dialect: str = "") -> Tensors:
    """Random tensors of either; a dialect of ``model.`` puts that before every name."""
    hidden, inner, size = config["hidden_size"], config["intermediate_size"], config["head_dim"]
    heads = config["num_attention_heads"]
    shared = config["num_key_value_heads"] or heads
    norms = ["input_layernorm", "post_attention_layernorm"]
    if config["model_type"] == "gemma3_text":
        norms += ["pre_feedforward_layernorm", "post_feedforward_layernorm"]
    shapes: dict[str, tuple[int, ...]] = {
        "embed_tokens.weight": (config["vocab_size"], hidden),
        "norm.weight": (hidden,),
    }
    for layer in range(config["num_hidden_layers"]):
        at = f"layers.{layer}."
        shapes |= {f"{at}{name}.weight": (hidden,) for name in norms}
        shapes |= {f"{at}self_attn.{part}_norm.weight": (size,) for part in "qk"}
        for name, rows, columns in (
            ("self_attn.q_proj", heads * size, hidden),
            ("self_attn.k_proj", shared * size, hidden),
            ("self_attn.v_proj", shared * size, hidden),
            ("self_attn.o_proj", hidden, heads * size),
            ("mlp.gate_proj", inner, hidden),
            ("mlp.up_proj", inner, hidden),
            ("mlp.down_proj", hidden, inner),
        ):
            shapes[f"{at}{name}.weight"] = (rows, columns)
            if config["attention_bias"] and "self_attn" in name:
                shapes[f"{at}{name}.bias"] = (rows,)
    return {dialect + name: value for name, value in draw(shapes, seed).items()}
