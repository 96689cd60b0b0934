"""The Transformer module's own settings: lengths, lower-casing, and what it tells the tokenizer.

``sentence_bert_config.json`` may overrule ``tokenizer_config.json``, and may ask for things that
change the vectors; what hotbed does not do is refused, not left out.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hotbed.errors import UnsupportedModelError
from hotbed.models import layout
from hotbed.models.encoder import EncoderSettings
from hotbed.models.jsonfile import is_there, read_object
from hotbed.models.schema import shown

__all__ = ["count_positions", "read_transformer"]

# Families that number positions from pad_token_id + 1: 514 position embeddings hold 512 tokens.
_OFFSET_FAMILIES = ("roberta", "xlm-roberta", "camembert", "mpnet", "xlm-roberta-xl")
_NO_LIMIT = 10**9
"""transformers writes 1e30 for "no limit"."""

_OLD_NAMES = {
    "tokenizer_args": "processor_kwargs",
    "config_args": "config_kwargs",
    "model_args": "model_kwargs",
}

_ONLY_VALUES: dict[str, tuple[Any, ...]] = {
    "transformer_task": (None, "feature-extraction"),
    "module_output_name": (None, "token_embeddings"),
    "processing_kwargs": (None, {}),
    "config_kwargs": (None, {}),
    "tokenizer_name_or_path": (None,),
    "query_length": (None,),
    "document_length": (None,),
    "query_expansion": (None,),
}
"""Settings with which the vectors would differ, and the values with which they do not."""

_READ = frozenset(
    "backend do_lower_case max_seq_length modality_config model_kwargs processor_kwargs "
    "unpad_inputs".split()
)
"""Settings that are read here, or that say how to compute and not what. sentence-transformers
fails on any that is in neither table."""

_NEUTRAL_MODEL_KWARGS = frozenset(
    "_commit_hash add_pooling_layer attn_implementation cache_dir device_map dtype export "
    "file_name force_download local_files_only low_cpu_mem_usage provider provider_options "
    "revision session_options subfolder token torch_dtype trust_remote_code use_cache".split()
)
"""What may be told to the library that loads the weights without making it another model."""

_PLAIN_TEXT = {"method": "forward", "method_output_name": "last_hidden_state"}


def read_transformer(root: Path, config: dict[str, Any], *, is_module: bool) -> EncoderSettings:
    """Read the settings of the transformer in a folder.

    Args:
        root: Its folder.
        config: Its ``config.json``.
        is_module: Whether ``modules.json`` names it. For a bare transformer, as
            sentence-transformers does, ``sentence_bert_config.json`` is not read.

    Raises:
        UnsupportedModelError: A setting asks for something that hotbed does not do.
    """
    own, path = _own_settings(root) if is_module else ({}, root)
    if refused := _not_followed(own):
        raise UnsupportedModelError(
            f"{path} sets {', '.join(refused)}; hotbed does not follow that, and without it the "
            f"vectors would be others"
        )
    processor = own.get("processor_kwargs") or {}
    saved = read_object(root / layout.TOKENIZER_CONFIG, required=False)
    explicit = processor.get("model_max_length", own.get("max_seq_length"))
    return EncoderSettings(
        max_seq_length=int(explicit) if explicit is not None else _limit(saved, config),
        do_lower_case=bool(own.get("do_lower_case", False)),
        tokenizer={**saved, **processor},
    )


def _not_followed(own: dict[str, Any]) -> list[str]:
    """What the settings ask for and hotbed does not do, as ``key=value``."""
    refused = {k: own[k] for k, ok in _ONLY_VALUES.items() if own.get(k) not in ok}
    refused |= {k: own[k] for k in own.keys() - _ONLY_VALUES.keys() - _READ}
    modality = own.get("modality_config")
    if modality is not None and not (
        isinstance(modality, dict)
        and modality.get("text") == _PLAIN_TEXT
        and own.get("module_output_name") is not None
    ):
        refused["modality_config"] = modality
    model = own.get("model_kwargs") or {}
    if not isinstance(model, dict):
        refused["model_kwargs"] = model
    else:
        refused |= {f"model_kwargs.{k}": model[k] for k in model.keys() - _NEUTRAL_MODEL_KWARGS}
    processor = own.get("processor_kwargs") or {}
    if "tokenizer_type" in processor:
        refused["processor_kwargs.tokenizer_type"] = processor["tokenizer_type"]
    return [f"{shown(key)[1:-1]}={shown(value)}" for key, value in sorted(refused.items())]


def _own_settings(root: Path) -> tuple[dict[str, Any], Path]:
    for name in layout.TRANSFORMER_CONFIGS:
        if is_there(root / name):
            found = read_object(root / name)
            return {_OLD_NAMES.get(key, key): value for key, value in found.items()}, root / name
    return {}, root


def _limit(tokenizer: dict[str, Any], config: dict[str, Any]) -> int | None:
    """The smaller of the tokenizer's limit and the model's positions; not asked where one is set.

    Families that count positions from ``pad_token_id + 1`` have that many fewer.
    """
    limits = []
    # transformers called it max_len before 2.9.
    declared = tokenizer.get("model_max_length", tokenizer.get("max_len"))
    if declared is not None and declared < _NO_LIMIT:
        limits.append(int(declared))
    positions = count_positions(config)
    if positions is not None:
        limits.append(positions)
    return min(limits) if limits else None


def count_positions(config: dict[str, Any]) -> int | None:
    """The most tokens that a text may have by ``config.json``; None where it does not say."""
    # The hub's Nomic models have GPT-2's key.
    positions: int = config.get("max_position_embeddings", config.get("n_positions", -1))
    if positions == -1:
        return None
    if config.get("model_type") in _OFFSET_FAMILIES:
        pad = config.get("pad_token_id", 1)
        positions -= int(1 if pad is None else pad) + 1
    return positions
