"""Tiny encoders with rotary positions: ModernBERT, Nomic, GTE."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hotbed.testing.tiny import bert_config

__all__ = [
    "Tensors",
    "draw",
    "gte_config",
    "gte_tensors",
    "modernbert_config",
    "modernbert_tensors",
    "nomic_config",
    "nomic_tensors",
]

Tensors = dict[str, NDArray[Any]]


def draw(shapes: Mapping[str, tuple[int, ...]], seed: int) -> Tensors:
    """Random tensors; scales of norms lie around 1."""
    rng = np.random.default_rng(seed)
    tensors = {}
    for name, shape in shapes.items():
        middle = 1.0 if "norm" in name.lower() and name.endswith("weight") else 0.0
        tensors[name] = rng.normal(middle, 0.3, size=shape).astype(np.float32)
    return tensors


def modernbert_config(**changes: Any) -> dict[str, Any]:
    """A ``config.json`` of a tiny ModernBERT, as transformers 4 wrote it."""
    return {
        "architectures": ["ModernBertModel"],
        "model_type": "modernbert",
        "vocab_size": bert_config()["vocab_size"],
        "hidden_size": 32,
        "num_hidden_layers": 4,
        "num_attention_heads": 4,
        "intermediate_size": 24,
        "max_position_embeddings": 40,
        "hidden_activation": "gelu",
        "norm_eps": 1e-5,
        "norm_bias": False,
        "attention_bias": False,
        "mlp_bias": False,
        "global_attn_every_n_layers": 3,
        "local_attention": 8,
        "global_rope_theta": 160000.0,
        "local_rope_theta": 10000.0,
        "pad_token_id": 0,
        "bos_token_id": 2,
        "eos_token_id": 3,
        "cls_token_id": 2,
        "sep_token_id": 3,
        **changes,
    }


def modernbert_tensors(config: Mapping[str, Any], seed: int = 0, dialect: str = "") -> Tensors:
    """Random tensors of a ModernBERT; a dialect of ``model.`` puts that before every name."""
    hidden, inner = config["hidden_size"], config["intermediate_size"]
    shapes: dict[str, tuple[int, ...]] = {
        "embeddings.tok_embeddings.weight": (config["vocab_size"], hidden)
    }
    norms = ["embeddings.norm", "final_norm"]
    for layer in range(config["num_hidden_layers"]):
        at = f"layers.{layer}."
        norms += [f"{at}attn_norm", f"{at}mlp_norm"] if layer else [f"{at}mlp_norm"]
        for name, rows, columns, bias in (
            ("attn.Wqkv", 3 * hidden, hidden, config["attention_bias"]),
            ("attn.Wo", hidden, hidden, config["attention_bias"]),
            ("mlp.Wi", 2 * inner, hidden, config["mlp_bias"]),
            ("mlp.Wo", hidden, inner, config["mlp_bias"]),
        ):
            shapes[f"{at}{name}.weight"] = (rows, columns)
            if bias:
                shapes[f"{at}{name}.bias"] = (rows,)
    for name in norms:
        shapes[f"{name}.weight"] = (hidden,)
        if config["norm_bias"]:
            shapes[f"{name}.bias"] = (hidden,)
    return {dialect + name: value for name, value in draw(shapes, seed).items()}


def nomic_config(**changes: Any) -> dict[str, Any]:
    """A ``config.json`` of a tiny Nomic model with the hub's own keys, or with transformers'.

    Transformers' are given where one of them is among the changes.
    """
    if "hidden_size" in changes:
        return {
            "architectures": ["NomicBertModel"],
            "model_type": "nomic_bert",
            "vocab_size": bert_config()["vocab_size"],
            "num_hidden_layers": 2,
            "num_attention_heads": 4,
            "intermediate_size": 256,
            "max_position_embeddings": 40,
            "hidden_act": "silu",
            "type_vocab_size": 2,
            "layer_norm_eps": 1e-12,
            "pad_token_id": 0,
            "rope_parameters": {"rope_type": "default", "rope_theta": 1000.0},
            **changes,
        }
    return {
        "architectures": ["NomicBertModel"],
        "model_type": "nomic_bert",
        "vocab_size": bert_config()["vocab_size"],
        "pad_vocab_size_multiple": 64,
        "n_embd": 32,
        "n_layer": 2,
        "n_head": 4,
        "n_inner": 200,
        "n_positions": 40,
        "max_trained_positions": 40,
        "activation_function": "swiglu",
        "type_vocab_size": 2,
        "layer_norm_epsilon": 1e-12,
        "qkv_proj_bias": False,
        "mlp_fc1_bias": False,
        "mlp_fc2_bias": False,
        "prenorm": False,
        "causal": False,
        "rotary_emb_base": 1000,
        "rotary_emb_fraction": 1.0,
        "rotary_emb_interleaved": False,
        "rotary_emb_scale_base": None,
        "rotary_scaling_factor": None,
        "scale_attn_weights": True,
        "use_rms_norm": False,
        "pad_token_id": 0,
        **changes,
    }


def nomic_tensors(config: Mapping[str, Any], seed: int = 0, dialect: str = "hub") -> Tensors:
    """Random tensors of a Nomic model, as the ``hub`` or as transformers (``native``) spells."""
    if "n_embd" in config:
        hidden, inner, depth = config["n_embd"], -(-config["n_inner"] // 256) * 256, "n_layer"
        step = config["pad_vocab_size_multiple"]
        vocab = -(-config["vocab_size"] // step) * step
        biases = [config[key] for key in ("qkv_proj_bias", "mlp_fc1_bias", "mlp_fc2_bias")]
    else:
        hidden, inner, depth = (
            config["hidden_size"],
            config["intermediate_size"],
            "num_hidden_layers",
        )
        vocab, biases = config["vocab_size"], [False] * 3
    size = config.get("head_dim") or 0
    width = size * config.get("num_attention_heads", 0) or hidden
    tensors = _rotary_tensors(
        (vocab, hidden, width, inner), config[depth], config["type_vocab_size"], biases, seed
    )
    return _packed_as(tensors, _NOMIC_HUB) if dialect == "hub" else tensors


def gte_config(model_type: str = "new", **changes: Any) -> dict[str, Any]:
    """A ``config.json`` of a tiny GTE: of ``new``, the hub's own, or of transformers' ``gte``."""
    common = {
        **bert_config(),
        "architectures": ["NewModel" if model_type == "new" else "GteModel"],
        "model_type": model_type,
        "intermediate_size": 24,
        "type_vocab_size": 1,
    }
    theirs: dict[str, Any] = {"rope_parameters": {"rope_type": "default", "rope_theta": 20000.0}}
    if model_type == "new":
        theirs = {
            "position_embedding_type": "rope",
            "layer_norm_type": "layer_norm",
            "logn_attention_scale": False,
            "logn_attention_clip1": False,
            "pack_qkv": True,
            "rope_theta": 20000.0,
            "rope_scaling": {"factor": 8.0, "type": "ntk"},
        }
    return {**common, **theirs, **changes}


def gte_tensors(config: Mapping[str, Any], seed: int = 0, dialect: str = "hub") -> Tensors:
    """Random tensors of a GTE.

    ``hub``: as the hub's code names them; ``new.``: inside a model with a head; ``unpacked``:
    with queries, keys and values apart; ``native``: as transformers names them.
    """
    size, hidden = config.get("head_dim") or 0, config["hidden_size"]
    width = size * config["num_attention_heads"] or hidden
    tensors = _rotary_tensors(
        (config["vocab_size"], hidden, width, config["intermediate_size"]),
        config["num_hidden_layers"],
        config["type_vocab_size"],
        [True, False, True],
        seed,
    )
    if dialect == "native":
        return tensors
    packed = {k: v for k, v in _GTE_PACKED.items() if dialect != "unpacked" or "mlp" in k}
    hub = _packed_as(tensors, {**packed, **_GTE_HUB})
    return {f"new.{name}": value for name, value in hub.items()} if dialect == "new." else hub


_NOMIC_HUB: dict[str, str | tuple[str, ...]] = {
    "attn.Wqkv": ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"),
    "encoder.layers.": "layers.",
    "emb_ln": "embeddings.LayerNorm",
    "attn.out_proj": "self_attn.o_proj",
    "mlp.fc11": "mlp.up_proj",
    "mlp.fc12": "mlp.gate_proj",
    "mlp.fc2": "mlp.down_proj",
    "norm1": "post_attention_layernorm",
    "norm2": "post_mlp_layernorm",
}
_GTE_PACKED: dict[str, str | tuple[str, ...]] = {
    "attention.qkv_proj": ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"),
    "mlp.up_gate_proj": ("mlp.up_proj", "mlp.gate_proj"),
}
_GTE_HUB: dict[str, str | tuple[str, ...]] = {
    "encoder.layer.": "layers.",
    "attention.": "self_attn.",
    "attn_ln": "post_attention_layernorm",
    "mlp_ln": "post_mlp_layernorm",
}


def _rotary_tensors(
    sizes: tuple[int, int, int, int], depth: int, types: int, biases: list[bool], seed: int
) -> Tensors:
    """Tensors of BERT's shape with a gate, under transformers' names.

    Args:
        sizes: Words, width, width of the attention, and width of the gate.
        depth: Layers.
        types: Token types.
        biases: Of the attention, of the gate, and after the gate.
        seed: For the random numbers.
    """
    vocab, hidden, width, inner = sizes
    shapes: dict[str, tuple[int, ...]] = {"embeddings.word_embeddings.weight": (vocab, hidden)}
    if types:
        shapes["embeddings.token_type_embeddings.weight"] = (types, hidden)
    norms = ["embeddings.LayerNorm"]
    for layer in range(depth):
        at = f"layers.{layer}."
        norms += [f"{at}post_attention_layernorm", f"{at}post_mlp_layernorm"]
        for name, rows, columns, bias in (
            *((f"self_attn.{part}_proj", width, hidden, biases[0]) for part in "qkv"),
            ("self_attn.o_proj", hidden, width, biases[0]),
            ("mlp.gate_proj", inner, hidden, biases[1]),
            ("mlp.up_proj", inner, hidden, biases[1]),
            ("mlp.down_proj", hidden, inner, biases[2]),
        ):
            shapes[f"{at}{name}.weight"] = (rows, columns)
            if bias:
                shapes[f"{at}{name}.bias"] = (rows,)
    shapes |= {f"{name}.{kind}": (hidden,) for name in norms for kind in ("weight", "bias")}
    return draw(shapes, seed)


def _packed_as(tensors: Tensors, table: Mapping[str, str | tuple[str, ...]]) -> Tensors:
    """The same numbers under a table's names; several names become one tensor, row by row."""
    for there, here in table.items():
        renamed: Tensors = {}
        for name, value in tensors.items():
            if isinstance(here, str):
                renamed[name.replace(here, there)] = value
            elif here[0] in name:
                parts = [tensors[name.replace(here[0], part)] for part in here]
                renamed[name.replace(here[0], there)] = np.concatenate(parts)
            elif not any(part in name for part in here):
                renamed[name] = value
        tensors = renamed
    return tensors
