"""Every family's tiny model by ``config.model_type``, with random weights and no PyTorch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from attrs import field, frozen

from hotbed.testing import tiny_absolute as absolute
from hotbed.testing import tiny_decoders as decoders
from hotbed.testing import tiny_rotary as rotary
from hotbed.testing import tiny_static as static
from hotbed.testing.tiny import SPECIAL, bert_config, bert_tensors, build_tiny

__all__ = ["TINY", "Tiny", "build_family"]

_GEMMA_DENSE = {"bias": False, "activation_function": "torch.nn.modules.linear.Identity"}
_PAD_SECOND = ("[CLS]", "[PAD]", "[SEP]", "[UNK]")


@frozen(kw_only=True)
class Tiny:
    """How to make a tiny model of one family.

    Attributes:
        config: Gives ``config.json``, with changes.
        tensors: Gives tensors from a configuration, a seed and a dialect.
        special: The special tokens in the order of their numbers.
        dialects: Spellings of the tensors that ``tensors`` knows, the commonest first.
        build: Arguments of ``write`` that suit the family.
        write: Writes the folder.
    """

    config: Callable[..., dict[str, Any]]
    tensors: Callable[..., dict[str, Any]]
    special: tuple[str, ...] = SPECIAL
    dialects: tuple[str, ...] = ("",)
    build: Mapping[str, Any] = field(factory=dict)
    write: Callable[..., Path] = build_tiny


def _bert_tensors(config: Mapping[str, Any], seed: int = 0, dialect: str = "") -> dict[str, Any]:
    return dict(bert_tensors(config, seed, prefix=dialect))


def _roberta(model_type: str) -> Tiny:
    return Tiny(
        config=partial(absolute.roberta_config, model_type),
        tensors=absolute.roberta_tensors,
        special=_PAD_SECOND,
        dialects=("", "roberta."),
    )


def _gte(model_type: str, *dialects: str) -> Tiny:
    return Tiny(
        config=partial(rotary.gte_config, model_type),
        tensors=rotary.gte_tensors,
        dialects=dialects,
    )


TINY: dict[str, Tiny] = {
    "bert": Tiny(config=bert_config, tensors=_bert_tensors, dialects=("", "bert.")),
    "distilbert": Tiny(config=absolute.distilbert_config, tensors=absolute.distilbert_tensors),
    "roberta": _roberta("roberta"),
    "camembert": _roberta("camembert"),
    "xlm-roberta": _roberta("xlm-roberta"),
    "modernbert": Tiny(
        config=rotary.modernbert_config,
        tensors=rotary.modernbert_tensors,
        dialects=("", "model."),
    ),
    "nomic_bert": Tiny(
        config=rotary.nomic_config, tensors=rotary.nomic_tensors, dialects=("hub", "native")
    ),
    "new": _gte("new", "hub", "new.", "unpacked"),
    "gte": _gte("gte", "native", "hub"),
    "qwen3": Tiny(
        config=decoders.qwen3_config,
        tensors=decoders.decoder_tensors,
        dialects=("", "model."),
        build={
            "pooling": {"pooling_mode_lasttoken": True},
            "padding_side": "left",
            "template": "$A [SEP]",
        },
    ),
    "gemma3_text": Tiny(
        config=decoders.gemma3_config,
        tensors=decoders.decoder_tensors,
        dialects=("", "model."),
        build={"heads": ("Dense", "Dense", "Normalize"), "dense": _GEMMA_DENSE},
    ),
    "mpnet": Tiny(
        config=absolute.mpnet_config, tensors=absolute.mpnet_tensors, special=_PAD_SECOND
    ),
    "static": Tiny(
        config=static.static_config,
        tensors=static.static_tensors,
        dialects=("embedding.weight",),
        write=static.build_static,
    ),
    "model2vec": Tiny(
        config=static.model2vec_config,
        tensors=static.static_tensors,
        dialects=("embeddings", "quantised"),
        write=static.build_static,
    ),
}
"""``config.model_type`` → how to make a tiny model of it."""


def build_family(
    folder: Path,
    family: str,
    *,
    config: Mapping[str, Any] | None = None,
    tensors: Mapping[str, Any] | None = None,
    dialect: str | None = None,
    seed: int = 0,
    **options: Any,
) -> Path:
    """Write a tiny model folder of any family.

    Args:
        folder: Where.
        family: A key of ``TINY``.
        config: Changes to its ``config.json``.
        tensors: The weights; random ones if None.
        dialect: The spelling of the random ones; None is the commonest.
        seed: For them.
        **options: Further arguments of what writes the folder, ``build_tiny`` for most.
    """
    tiny = TINY[family]
    settings = tiny.config(**(config or {}))
    dialect = tiny.dialects[0] if dialect is None else dialect
    weights = tiny.tensors(settings, seed, dialect) if tensors is None else tensors
    options = {**tiny.build, **options}
    return tiny.write(folder, whole=settings, tensors=weights, special=tiny.special, **options)
