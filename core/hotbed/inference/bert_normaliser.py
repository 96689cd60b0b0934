"""Lower-casing and accents of BERT's tokenizer, where two files of a folder disagree.

transformers builds BERT's tokenizers anew from ``tokenizer_config.json``, whose ``do_lower_case``
is true where it is absent, and takes no notice of the normaliser in ``tokenizer.json``. Its generic
class, ``PreTrainedTokenizerFast``, reads ``tokenizer.json`` as it stands.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["follow_configuration"]

_CLASSES = frozenset(
    f"{name}Tokenizer" for name in ("Bert", "ConvBert", "DistilBert", "Electra", "MPNet")
)
_FAMILIES = frozenset({"bert", "convbert", "distilbert", "electra", "mpnet", "nomic_bert"})
"""``model_type`` of models that get one of these classes where the folder names none."""


def follow_configuration(backend: Any, config: Mapping[str, Any], family: str) -> None:
    """Set a BERT tokenizer's normaliser by ``tokenizer_config.json``; leave other tokenizers alone.

    Args:
        backend: A ``tokenizers.Tokenizer``.
        config: ``tokenizer_config.json``.
        family: The model's ``model_type``.
    """
    from tokenizers import normalizers

    named = config.get("tokenizer_class")
    is_bert = str(named).removesuffix("Fast") in _CLASSES if named else family in _FAMILIES
    if is_bert:
        backend.normalizer = normalizers.BertNormalizer(
            clean_text=True,
            handle_chinese_chars=config.get("tokenize_chinese_chars", True),
            strip_accents=config.get("strip_accents"),
            lowercase=config.get("do_lower_case", True),
        )
