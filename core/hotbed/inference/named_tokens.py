"""Tokens that a folder names beside ``tokenizer.json``, as transformers adds them.

``tokenizer_config.json`` may name special tokens and list added ones; older folders do so in
``special_tokens_map.json`` and ``added_tokens.json``, which transformers reads where the first has
no ``added_tokens_decoder``. A token that ``tokenizer.json`` knows only as a piece of text is then
one token wherever it stands. What else would make other tokens is refused by name.
tests/oracle/test_named_tokens.py compares with transformers.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from hotbed.errors import CorruptFileError, UnsupportedModelError
from hotbed.inference.bert_normaliser import tokenizer_class
from hotbed.models.jsonfile import read_object
from hotbed.models.schema import shown

__all__ = ["add_named_tokens", "refuse_other_tokens"]

_NAMED = (
    "bos_token",
    "eos_token",
    "unk_token",
    "sep_token",
    "pad_token",
    "cls_token",
    "mask_token",
)
_EXTRA = ("additional_special_tokens", "extra_special_tokens")
_SIDES = ("single_word", "lstrip", "rstrip", "normalized", "special")

_MODELS = {
    **dict.fromkeys(("Bert", "ConvBert", "DistilBert", "Electra", "MPNet"), "WordPiece"),
    **dict.fromkeys(("Roberta", "GPT2", "Qwen2", "Llama", "Gemma", "CodeLlama"), "BPE"),
    **dict.fromkeys(("XLMRoberta", "Camembert", "Albert", "T5"), "Unigram"),
}
"""Class of tokenizers → what it splits with. transformers builds these anew, with the vocabulary of
``tokenizer.json`` and no more."""
_BERT_LIKE = ("Bert", "ConvBert", "DistilBert", "Electra")


def add_named_tokens(root: Path, backend: Any, config: Mapping[str, Any]) -> None:
    """Add the tokens that a folder names and ``tokenizer.json`` does not list as added.

    Args:
        root: The transformer's folder.
        backend: A ``tokenizers.Tokenizer``.
        config: ``tokenizer_config.json``, and what the Transformer module overrules of it.

    Raises:
        CorruptFileError: A token is neither text nor an object with its content.
    """
    known = {token.content: token for token in backend.get_added_tokens_decoder().values()}
    settings, listed = _settings(root, config)
    fresh = [token for token in listed if _flags(known.get(token.content)) != _flags(token)]
    seen = {*known, *(token.content for token in fresh)}
    for value in _special(settings):
        token = _token(root, value, special=True)
        if token.content not in seen:
            fresh.append(token)
            seen.add(token.content)
    if fresh:
        backend.add_tokens(fresh)


def refuse_other_tokens(
    root: Path, backend: Any, config: Mapping[str, Any], model: Mapping[str, Any]
) -> None:
    """Refuse settings with which transformers would make other tokens.

    Args:
        root: The transformer's folder.
        backend: A ``tokenizers.Tokenizer``.
        config: ``tokenizer_config.json``, and what the Transformer module overrules of it.
        model: ``config.json``.

    Raises:
        UnsupportedModelError: There are such settings; the message names them.
    """
    settings, _ = _settings(root, config)
    wrong = []
    if settings.get("split_special_tokens"):
        wrong.append("split_special_tokens is set: special tokens in a text would be split")
    inputs = settings.get("model_input_names")
    if inputs is not None and (
        not isinstance(inputs, list) or not {"input_ids", "attention_mask"} <= set(map(str, inputs))
    ):
        wrong.append(f"model_input_names is {shown(inputs)}, without input_ids or attention_mask")
    wrong += _other_class(root, backend, settings, tokenizer_class(settings, model))
    if wrong:
        raise UnsupportedModelError(
            f"{root / 'tokenizer_config.json'}: {'; '.join(wrong)}; transformers would make other "
            f"tokens than tokenizer.json does"
        )


def _other_class(root: Path, backend: Any, settings: Mapping[str, Any], stem: str) -> Iterator[str]:
    """What the class would make otherwise than ``tokenizer.json``."""
    name = f"{stem}Tokenizer"
    made, wanted = type(backend.model).__name__, _MODELS.get(stem)
    if wanted is not None and made != wanted:
        yield f"a {name:.60} is a {wanted}, and tokenizer.json holds a {made}"
    if stem not in _BERT_LIKE or made != "WordPiece":
        return
    usual = {"unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
    unknown, start, end = (_content(root, settings.get(k) or usual[k]) for k in usual)
    if unknown != backend.model.unk_token:
        yield f"unk_token is {shown(unknown)}, and in tokenizer.json {backend.model.unk_token!r}"
    around = backend.encode("").tokens
    if around != [start, end]:
        yield f"a {name:.60} puts {start!r:.60} and {end!r:.60} around a text, not {shown(around)}"


def _settings(root: Path, config: Mapping[str, Any]) -> tuple[Mapping[str, Any], list[Any]]:
    """The settings with what older files add to them, and the tokens that are listed as added."""
    from tokenizers import AddedToken

    listed = config.get("added_tokens_decoder")
    if listed is not None:
        return config, [_token(root, value) for value in _values(root, listed)]
    config = {**config, **read_object(root / "special_tokens_map.json", required=False)}
    older = read_object(root / "added_tokens.json", required=False)
    named = {_content(root, value) for value in _special(config)}
    return config, [
        AddedToken(name, normalized=name not in named, special=name in named)
        for name in sorted(older, key=lambda name: str(older[name]).zfill(12))
    ]


def _values(root: Path, listed: Any) -> Iterable[Any]:
    """The tokens of ``added_tokens_decoder``, by number."""
    if not isinstance(listed, dict) or not all(str(key).isdecimal() for key in listed):
        raise CorruptFileError(
            f"{root / 'tokenizer_config.json'}: added_tokens_decoder is {shown(listed)}; an object "
            f"from numbers to tokens is allowed"
        )
    return (listed[key] for key in sorted(listed, key=int))


def _special(settings: Mapping[str, Any]) -> Iterator[Any]:
    yield from (settings[key] for key in _NAMED if settings.get(key))
    for key in _EXTRA:
        more = settings.get(key)
        if isinstance(more, list):
            yield from more
        elif isinstance(more, dict):
            yield from more.values()


def _content(root: Path, value: Any) -> str:
    return str(_token(root, value).content)


def _token(root: Path, value: Any, *, special: bool = False) -> Any:
    """One token as the library's own object."""
    from tokenizers import AddedToken

    if isinstance(value, str):
        return AddedToken(value, special=special)
    if not isinstance(value, dict) or not isinstance(value.get("content"), str):
        raise CorruptFileError(
            f"{root / 'tokenizer_config.json'}: a token is {shown(value)}; text, or an object with "
            f"its content, is allowed"
        )
    flags = {key: bool(value[key]) for key in _SIDES if key in value}
    return AddedToken(value["content"], **{**flags, **({"special": True} if special else {})})


def _flags(token: Any) -> tuple[Any, ...] | None:
    return None if token is None else tuple(getattr(token, key) for key in _SIDES)
