"""Tiny models of BERT's kin: DistilBERT, RoBERTa and its namesakes, MPNet."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hotbed.testing.tiny import bert_config, bert_tensors

__all__ = [
    "distilbert_config",
    "distilbert_tensors",
    "mpnet_config",
    "mpnet_tensors",
    "roberta_config",
    "roberta_tensors",
]

Tensors = dict[str, NDArray[Any]]

_DISTILBERT = {
    "encoder.layer.": "transformer.layer.",
    "attention.self.query": "attention.q_lin",
    "attention.self.key": "attention.k_lin",
    "attention.self.value": "attention.v_lin",
    "attention.output.dense": "attention.out_lin",
    "attention.output.LayerNorm": "sa_layer_norm",
    "intermediate.dense": "ffn.lin1",
    "output.dense": "ffn.lin2",
    "output.LayerNorm": "output_layer_norm",
}
_MPNET = {
    "attention.self.query": "attention.attn.q",
    "attention.self.key": "attention.attn.k",
    "attention.self.value": "attention.attn.v",
    "attention.output.dense": "attention.attn.o",
    "attention.output.LayerNorm": "attention.LayerNorm",
}


def distilbert_config(**changes: Any) -> dict[str, Any]:
    """A ``config.json`` of a tiny DistilBERT."""
    return {
        "architectures": ["DistilBertModel"],
        "model_type": "distilbert",
        "vocab_size": bert_config()["vocab_size"],
        "dim": 32,
        "n_layers": 2,
        "n_heads": 4,
        "hidden_dim": 48,
        "max_position_embeddings": 40,
        "activation": "gelu",
        "sinusoidal_pos_embds": False,
        "pad_token_id": 0,
        **changes,
    }


def distilbert_tensors(config: Mapping[str, Any], seed: int = 0, dialect: str = "") -> Tensors:
    """Random tensors of a DistilBERT."""
    as_in_bert = {
        **bert_config(),
        "vocab_size": config["vocab_size"],
        "hidden_size": config["dim"],
        "num_hidden_layers": config["n_layers"],
        "intermediate_size": config["hidden_dim"],
        "max_position_embeddings": config["max_position_embeddings"],
    }
    tensors = bert_tensors(as_in_bert, seed)
    del tensors["embeddings.token_type_embeddings.weight"]
    return {_renamed(name, _DISTILBERT): value for name, value in tensors.items()}


def roberta_config(model_type: str = "roberta", **changes: Any) -> dict[str, Any]:
    """A ``config.json`` of a tiny RoBERTa, CamemBERT or XLM-RoBERTa."""
    return bert_config(
        **{
            "architectures": [],
            "model_type": model_type,
            "type_vocab_size": 1,
            "layer_norm_eps": 1e-5,
            "pad_token_id": 1,
            **changes,
        }
    )


def roberta_tensors(config: Mapping[str, Any], seed: int = 0, dialect: str = "") -> Tensors:
    """Random tensors of a RoBERTa; a dialect of ``roberta.`` puts that before every name."""
    return dict(bert_tensors(config, seed, prefix=dialect))


def mpnet_config(**changes: Any) -> dict[str, Any]:
    """A ``config.json`` of a tiny MPNet."""
    config = roberta_config("mpnet", **{"relative_attention_num_buckets": 32, **changes})
    del config["type_vocab_size"]
    return config


def mpnet_tensors(config: Mapping[str, Any], seed: int = 0, dialect: str = "") -> Tensors:
    """Random tensors of an MPNet."""
    tensors = bert_tensors({**config, "type_vocab_size": 1}, seed)
    del tensors["embeddings.token_type_embeddings.weight"]
    buckets = (config["relative_attention_num_buckets"], config["num_attention_heads"])
    rng = np.random.default_rng(seed + 1)
    tensors["encoder.relative_attention_bias.weight"] = rng.normal(size=buckets).astype(np.float32)
    return {_renamed(name, _MPNET): value for name, value in tensors.items()}


def _renamed(name: str, table: Mapping[str, str]) -> str:
    for part, there in table.items():
        name = name.replace(part, there)
    return name
