"""Lower-casing and accents of BERT's tokenizer, where two files of a folder disagree.

transformers builds BERT's tokenizers anew from ``tokenizer_config.json``, whose ``do_lower_case``
is true where it is absent, and takes no notice of the normaliser in ``tokenizer.json``. Its generic
class, ``PreTrainedTokenizerFast``, reads ``tokenizer.json`` as it stands.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["follow_configuration", "tokenizer_class"]

_CLASSES = frozenset({"Bert", "ConvBert", "DistilBert", "Electra", "MPNet"})
_FAMILIES = {
    **dict.fromkeys(("bert", "convbert", "electra", "nomic_bert"), "Bert"),
    "camembert": "Camembert",
    "distilbert": "DistilBert",
    "gemma3_text": "Gemma",
    "gte": "XLMRoberta",
    "mpnet": "MPNet",
    "qwen3": "Qwen2",
    "roberta": "Roberta",
    "xlm-roberta": "XLMRoberta",
}
"""``model_type`` → the class of tokenizers that its models get where the folder names none."""
_GENERIC = frozenset({"modernbert"})
"""``model_type`` of models whose folders may name any class and get the generic one."""


def tokenizer_class(settings: Mapping[str, Any], model: Mapping[str, Any]) -> str:
    """The class of tokenizers that transformers takes: ``Bert`` of ``BertTokenizerFast``.

    Args:
        settings: ``tokenizer_config.json``.
        model: ``config.json``.
    """
    family = str(model.get("model_type"))
    if family in _GENERIC:
        return ""
    named = settings.get("tokenizer_class") or model.get("tokenizer_class")
    if not named:
        return _FAMILIES.get(family, "")
    return str(named).removesuffix("Fast").removesuffix("Tokenizer")


def follow_configuration(
    backend: Any, settings: Mapping[str, Any], model: Mapping[str, Any]
) -> None:
    """Set a BERT tokenizer's normaliser by ``tokenizer_config.json``; leave other tokenizers alone.

    Args:
        backend: A ``tokenizers.Tokenizer``.
        settings: ``tokenizer_config.json``.
        model: ``config.json``.
    """
    from tokenizers import normalizers

    if tokenizer_class(settings, model) in _CLASSES:
        backend.normalizer = normalizers.BertNormalizer(
            clean_text=True,
            handle_chinese_chars=settings.get("tokenize_chinese_chars", True),
            strip_accents=settings.get("strip_accents"),
            lowercase=settings.get("do_lower_case", True),
        )
