"""Tiny encoders with rotary positions: ModernBERT, Nomic, GTE."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hotbed.testing.tiny import bert_config

__all__ = ["draw", "modernbert_config", "modernbert_tensors"]

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
