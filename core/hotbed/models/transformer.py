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

__all__ = ["count_positions", "read_transformer"]

# Families that number positions from pad_token_id + 1: 514 position embeddings hold 512 tokens.
_OFFSET_FAMILIES = ("roberta", "xlm-roberta", "camembert", "mpnet", "xlm-roberta-xl")
_NO_LIMIT = 10**9
"""transformers writes 1e30 for "no limit"."""

_OLD_NAMES = {"tokenizer_args": "processor_kwargs", "config_args": "config_kwargs"}

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
    refused = [f"{k}={own[k]!r}" for k, ok in _ONLY_VALUES.items() if own.get(k) not in ok]
    if refused:
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
