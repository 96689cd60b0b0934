"""What ``config.json`` may ask of a family that its builder does not do; refused by name.

Every key of a family's configuration class in transformers is either read (its table is
``hotbed.models.keys.ARCHITECTURES``), or known not to change a text's vector (``NEUTRAL``), or
stands here with the values that the builder follows. tests/oracle/test_switches.py holds the
tables to transformers' own classes. A key that no class knows does nothing there, nor here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hotbed.errors import CorruptFileError
from hotbed_onnx.configuration import Config, refuse

__all__ = ["ALIASES", "NEUTRAL", "followed_values", "refuse_switches"]

_Values = Mapping[str, tuple[Any, ...]]

_EVERY: _Values = {
    "add_cross_attention": (False, None),
    "attribute_map": (None, {}),
    "is_encoder_decoder": (False, None),
    "partial_rotary_factor": (None, 1.0, 1),
    "pruned_heads": (None, {}),
}
# transformers makes an encoder causal for texts without padding alone where is_causal is set.
_ENCODER: _Values = {"is_causal": (False, None), "is_decoder": (False, None)}
_ABSOLUTE: _Values = {**_ENCODER, "rope_parameters": (None, {}), "rope_scaling": (None, {})}
_FOLLOWED: Mapping[str, _Values] = {
    "bert": _ABSOLUTE,
    "camembert": _ABSOLUTE,
    "distilbert": _ABSOLUTE,
    "gte": _ENCODER,
    "modernbert": _ENCODER,
    "mpnet": _ABSOLUTE,
    "new": _ENCODER,
    "nomic_bert": _ENCODER,
    "roberta": _ABSOLUTE,
    "xlm-roberta": _ABSOLUTE,
}

ALIASES: Mapping[str, Mapping[str, str]] = {
    "distilbert": {
        "hidden_size": "dim",
        "num_attention_heads": "n_heads",
        "num_hidden_layers": "n_layers",
    },
}
"""Second names that transformers takes for a key; of two that differ, the order would decide."""

NEUTRAL = frozenset(
    # Training, and what a head on top would need.
    "attention_dropout attention_probs_dropout_prob classifier_activation classifier_bias "
    "classifier_dropout classifier_pooling decoder_bias dropout embedding_dropout "
    "hidden_dropout_prob id2label initializer_cutoff_factor initializer_range label2id "
    "mlp_dropout num_labels problem_type qa_dropout seq_classif_dropout "
    "sparse_pred_ignore_index sparse_prediction "
    # What is given besides the tokens' vectors, and how: whole or in parts.
    "chunk_size_feed_forward deterministic_flash_attn dtype final_logit_softcapping "
    "output_attentions output_hidden_states return_dict tie_word_embeddings torch_dtype use_cache "
    # DistilBERT's sines are stored as weights.
    "sinusoidal_pos_embds "
    # Tokens that the tokenizer puts there, and names.
    "architectures bos_token_id cls_token_id eos_token_id sep_token_id transformers_version".split()
)
"""Keys of transformers' classes that do not change the vector of a text."""

_NAMES = {
    "bert": "BERT",
    "camembert": "CamemBERT",
    "distilbert": "DistilBERT",
    "gemma3_text": "Gemma 3",
    "gte": "GTE",
    "modernbert": "ModernBERT",
    "mpnet": "MPNet",
    "new": "GTE",
    "nomic_bert": "Nomic",
    "qwen3": "Qwen3",
    "roberta": "RoBERTa",
    "xlm-roberta": "XLM-RoBERTa",
}


def followed_values(family: str) -> _Values:
    """Key → the values that the family's builder follows, the first of them by default."""
    return {**_EVERY, **_FOLLOWED.get(family, {})}


def refuse_switches(config: Config, family: str) -> None:
    """Refuse what ``config.json`` asks for and the family's builder would leave out.

    Args:
        config: ``config.json``.
        family: Its ``model_type``.

    Raises:
        UnsupportedModelError: A key has a value that the builder does not follow.
        CorruptFileError: Two names of one key differ.
    """
    if family not in _NAMES:
        return
    refuse(config, _NAMES[family], followed_values(family))
    two = [
        f"{alias} is {config[alias]!r:.60} and {key}, which is the same, {config.get(key)!r:.60}"
        for alias, key in ALIASES.get(family, {}).items()
        if alias in config and config[alias] != config.get(key)
    ]
    if family == "modernbert" and "sliding_window" in config:
        two += _other_window(config)
    if two:
        raise CorruptFileError(f"config.json: {'; '.join(two)}; remove the wrong one")


def _other_window(config: Config) -> list[str]:
    """ModernBERT's window has two names: whole, and half of it."""
    half, whole = config["sliding_window"], config.get("local_attention", 128)
    same = type(half) is int and type(whole) is int and half == whole // 2
    said = f"sliding_window is {half!r:.60} and local_attention {whole!r:.60}, not twice that"
    return [] if same else [said]
