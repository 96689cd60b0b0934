"""Static embeddings: a table of token vectors, whose mean is the text's. There is no transformer.

Two libraries write such folders. sentence-transformers' StaticEmbedding has no ``config.json``;
model2vec writes one, and ``modules.json`` as well, so that sentence-transformers opens its folders,
though by its own rules for tokens. A folder is read by the rules of the library that wrote it.
"""

from __future__ import annotations

from typing import Any

from hotbed.errors import CorruptFileError
from hotbed.models.encoder import EncoderSettings, TokenRules

__all__ = ["MODEL2VEC", "STATIC", "is_model2vec", "read_static", "static_config"]

STATIC = "static"
"""The family of sentence-transformers' StaticEmbedding, for which it has no ``model_type``."""

MODEL2VEC = "model2vec"

_LIMIT = 512
"""model2vec's, where its ``config.json`` names none."""


_MODEL2VEC_KEYS = frozenset(
    ("apply_pca", "apply_zipf", "embedding_dtype", "sif_coefficient", "vocabulary_quantization")
)
"""Keys that model2vec alone writes."""


def is_model2vec(config: dict[str, Any]) -> bool:
    """Whether a ``config.json`` is model2vec's, which leaves ``model_type`` out now and then."""
    family = config.get("model_type")
    if family is not None:
        return bool(family == MODEL2VEC)
    return config.get("architectures") == ["StaticModel"] or bool(_MODEL2VEC_KEYS & set(config))


def static_config(found: dict[str, Any]) -> dict[str, Any]:
    """The configuration of a static embedding, its family named.

    Args:
        found: ``config.json`` beside the weights; empty where there is none. model2vec leaves
            ``model_type`` out of what was not distilled. Any other library's is not looked at, as
            sentence-transformers looks at none.
    """
    written_by_model2vec = bool(found) and found.get("model_type", MODEL2VEC) == MODEL2VEC
    return {**found, "model_type": MODEL2VEC} if written_by_model2vec else {"model_type": STATIC}


def read_static(config: dict[str, Any]) -> EncoderSettings:
    """Read how a static embedding wants its texts.

    Args:
        config: As ``static_config`` gives it.

    Raises:
        CorruptFileError: ``max_length`` is no count of tokens.
    """
    if config["model_type"] == STATIC:
        # sentence-transformers asks the file's own truncation and nothing else.
        return EncoderSettings(
            max_seq_length=None, rules=TokenRules(special_tokens=False, own_limit=True)
        )
    limit = config.get("max_length", _LIMIT)
    if limit is not None and (type(limit) is not int or limit < 1):
        raise CorruptFileError(f"config.json: max_length is {limit!r}, which is no count of tokens")
    rules = TokenRules(special_tokens=False, drop_unknown=True, cut_characters=True)
    return EncoderSettings(max_seq_length=limit, rules=rules)
