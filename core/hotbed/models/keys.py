"""The keys of a model folder's JSON files that hotbed reads, and what their values may be.

A table for each file. A key that nothing here reads is not looked at, whatever it holds. A bound
on a size says what no model comes near; the tensors prove the exact number (``weights``).
"""

from __future__ import annotations

from hotbed.models.schema import (
    FLAG,
    NULL,
    TEXT,
    Kind,
    Schema,
    count,
    list_of,
    mapping_of,
    number,
    object_of,
    one_of,
    whole,
)

__all__ = ["ARCHITECTURES", "CONFIG_KEYS", "MODULE_KEYS", "SAVED", "TOKENIZER_KEYS", "TRANSFORMER"]

_SIDE = one_of("right", "left") | NULL
_SIZE = whole(1, 2**31 - 1)
_COUNT = whole(0, 2**31 - 1)
_LENGTH = count(1e9)
_LIMIT = number(1, 1e31) | NULL  # transformers writes 1e30 for no limit
_EPS = number(0, 1)
_BASE = number(0, 1e12, above=True)  # of rotary positions
_FACTOR = number(0, 1e6, above=True)
_TOKEN = TEXT | object_of({"content": TEXT}) | NULL

CONFIG_KEYS: Schema = {
    "model_type": TEXT | NULL,
    "architectures": list_of(TEXT) | NULL,
    "is_causal": FLAG | NULL,
    "pad_token_id": whole(0, 2**32 - 1) | NULL,
    "max_position_embeddings": one_of(-1) | _SIZE,
    "n_positions": one_of(-1) | _SIZE,
}
"""``config.json``, whatever the family: what lengths and padding follow from."""

_ROPE_KEYS: dict[str, Kind] = {
    "rope_type": TEXT | NULL,
    "type": TEXT | NULL,
    "rope_theta": _BASE | NULL,
    "factor": _FACTOR | NULL,
    "mixed_b": number(0, 100) | NULL,
}
_ROPE = (
    object_of(
        {
            **_ROPE_KEYS,
            "full_attention": object_of(_ROPE_KEYS) | NULL,
            "sliding_attention": object_of(_ROPE_KEYS) | NULL,
        }
    )
    | NULL
)

_SIZES: dict[str, Kind] = {
    "vocab_size": _SIZE,
    "hidden_size": _SIZE,
    "num_hidden_layers": _COUNT,
    "num_attention_heads": _SIZE,
    "intermediate_size": _SIZE,
    "type_vocab_size": _COUNT,
}
_BERT: dict[str, Kind] = {
    **_SIZES,
    "hidden_act": TEXT,
    "layer_norm_eps": _EPS,
    "position_embedding_type": TEXT | NULL,
    "is_decoder": FLAG | NULL,
}
_ROTARY: dict[str, Kind] = {
    **_BERT,
    "head_dim": whole(1, 2**16) | NULL,
    "rope_theta": _BASE,
    "rope_scaling": _ROPE,
    "rope_parameters": _ROPE,
    "layer_norm_type": TEXT | NULL,
    "logn_attention_scale": FLAG | NULL,
}
_DECODER: dict[str, Kind] = {
    **_ROTARY,
    "num_key_value_heads": _SIZE | NULL,
    "rms_norm_eps": _EPS,
    "attention_bias": FLAG,
    "layer_types": list_of(TEXT) | NULL,
    "sliding_window": _SIZE | NULL,
}
_NOMIC: dict[str, Kind] = {
    **_ROTARY,
    "n_embd": _SIZE,
    "n_layer": _COUNT,
    "n_head": _SIZE,
    "n_inner": _SIZE | NULL,
    "layer_norm_epsilon": _EPS,
    "activation_function": TEXT,
    "pad_vocab_size_multiple": whole(1, 2**20),
    "rotary_emb_base": _BASE,
    "rotary_scaling_factor": number(0, 1e6) | NULL,
    "max_trained_positions": _SIZE | NULL,
    "qkv_proj_bias": FLAG,
    "mlp_fc1_bias": FLAG,
    "mlp_fc2_bias": FLAG,
}

ARCHITECTURES: dict[str, Schema] = {
    "bert": _BERT,
    "camembert": _BERT,
    "distilbert": {
        "vocab_size": _SIZE,
        "dim": _SIZE,
        "n_layers": _COUNT,
        "n_heads": _SIZE,
        "hidden_dim": _SIZE,
        "activation": TEXT,
    },
    "gemma3_text": {
        **_DECODER,
        "sliding_window": _SIZE,
        "sliding_window_pattern": _SIZE,
        "hidden_activation": TEXT,
        "query_pre_attn_scalar": number(0, 1e6, above=True),
        "rope_local_base_freq": _BASE,
        "use_bidirectional_attention": FLAG | NULL,
    },
    "gte": _ROTARY,
    "modernbert": {
        **_ROTARY,
        "norm_eps": _EPS,
        "hidden_activation": TEXT,
        "global_attn_every_n_layers": _SIZE,
        "local_attention": _SIZE,
        "global_rope_theta": _BASE,
        "local_rope_theta": _BASE | NULL,
        "layer_types": list_of(TEXT) | NULL,
        "norm_bias": FLAG,
        "attention_bias": FLAG,
        "mlp_bias": FLAG,
    },
    "mpnet": {**_BERT, "relative_attention_num_buckets": _SIZE},
    "new": _ROTARY,
    "nomic_bert": _NOMIC,
    "qwen3": {
        **_DECODER,
        "use_sliding_window": FLAG | NULL,
        "max_window_layers": _COUNT | NULL,
    },
    "roberta": _BERT,
    "static": {},
    "model2vec": {"normalize": FLAG | NULL, "max_length": _SIZE | NULL},
    "xlm-roberta": _BERT,
}
"""``config.model_type`` → the keys of ``config.json`` that shape its graph. They are looked at
where the weights that they describe are there: a folder of ONNX files does not need them."""

SAVED: Schema = {
    "model_type": TEXT | NULL,
    "prompts": mapping_of(TEXT | NULL) | NULL,
    "default_prompt_name": TEXT | NULL,
    "similarity_fn_name": one_of("cosine", "dot", "euclidean", "manhattan") | NULL,
    "truncate_dim": _SIZE | NULL,
}
"""``config_sentence_transformers.json``."""

TOKENIZER_KEYS: Schema = {
    "tokenizer_class": TEXT | NULL,
    "model_max_length": _LIMIT,
    "max_len": _LIMIT,
    "padding_side": _SIDE,
    "truncation_side": _SIDE,
    "do_lower_case": FLAG,
    "strip_accents": FLAG | NULL,
    "tokenize_chinese_chars": FLAG,
    **dict.fromkeys(
        (
            "bos_token",
            "cls_token",
            "eos_token",
            "mask_token",
            "pad_token",
            "sep_token",
            "unk_token",
        ),
        _TOKEN,
    ),
}
"""``tokenizer_config.json``."""

_PROCESSOR = object_of({**TOKENIZER_KEYS, "model_max_length": _LENGTH | NULL}) | NULL

TRANSFORMER: Schema = {
    "max_seq_length": _LENGTH | NULL,
    "do_lower_case": FLAG | NULL,
    "processor_kwargs": _PROCESSOR,
    "tokenizer_args": _PROCESSOR,
}
"""``sentence_bert_config.json``, and the other names that it had."""

MODULE_KEYS: dict[str, Schema] = {
    "Pooling": {
        "pooling_mode": TEXT | list_of(TEXT) | NULL,
        "include_prompt": FLAG,
        "embedding_dimension": _SIZE | NULL,
        "word_embedding_dimension": _SIZE | NULL,
        **dict.fromkeys(
            (
                "pooling_mode_cls_token",
                "pooling_mode_max_tokens",
                "pooling_mode_mean_tokens",
                "pooling_mode_mean_sqrt_len_tokens",
                "pooling_mode_weightedmean_tokens",
                "pooling_mode_lasttoken",
            ),
            FLAG,
        ),
    },
    "Dense": {
        "in_features": _SIZE,
        "out_features": _SIZE,
        "bias": FLAG,
        "activation_function": TEXT,
        "use_residual": FLAG,
        "module_input_name": TEXT | NULL,
        "module_output_name": TEXT | NULL,
    },
    "LayerNorm": {"dimension": _SIZE},
}
"""The ``config.json`` of a module, by its class."""
