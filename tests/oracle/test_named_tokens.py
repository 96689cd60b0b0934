"""Tokens and classes that a folder names beside tokenizer.json, against transformers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hotbed import Embedder
from hotbed.errors import UnsupportedModelError
from hotbed.testing import build_tiny
from hotbed.testing.tiny_families import build_family
from tests.oracle.pair import Pair, edit

Load = Callable[..., Pair]
TEXTS = ("a dog runs", "The DOG water", "the cat a  bread", "a", "[CLS] dog [SEP] cat", "")
SETTINGS, OLD, ADDED = "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json"
A = {"content": "a", "single_word": False, "lstrip": True, "rstrip": False, "normalized": False}


@pytest.mark.parametrize("name", ["BertTokenizer", "PreTrainedTokenizerFast"])
@pytest.mark.parametrize(
    ("file", "changes"),
    [
        (SETTINGS, {"mask_token": "a"}),
        (SETTINGS, {"pad_token": "a"}),
        (SETTINGS, {"additional_special_tokens": ["a", "dog"]}),
        (SETTINGS, {"extra_special_tokens": {"mine": "a"}}),
        (SETTINGS, {"added_tokens_decoder": {"5": {**A, "special": False}}}),
        (OLD, {"bos_token": "a"}),
        (OLD, {"bos_token": {**A}}),
        (ADDED, {"a": 5}),
    ],
    ids=str,
)
def test_named_tokens(
    tmp_path: Path, pair: Load, name: str, file: str, changes: dict[str, Any]
) -> None:
    """A token that is named is one token wherever it stands, as in transformers."""
    folder = build_tiny(tmp_path / "tiny")
    if not (folder / file).exists():
        (folder / file).write_text("{}", encoding="utf-8")
    edit(folder / SETTINGS, tokenizer_class=name, do_lower_case=False)
    before = pair(folder).hotbed.encode("water")
    edit(folder / file, **changes)
    models = pair(folder)
    models.agree(TEXTS)
    assert np.abs(models.hotbed.encode("water") - before).max() > 0.01  # w[a]ter


@pytest.mark.parametrize(
    "changes",
    [
        {"tokenizer_class": "RobertaTokenizer"},
        {"tokenizer_class": "BertTokenizer", "unk_token": "dog"},
        {"tokenizer_class": "BertTokenizer", "cls_token": "dog"},
        {"tokenizer_class": "BertTokenizerFast", "sep_token": "dog"},
        {"model_input_names": ["input_ids"]},
        {"split_special_tokens": True},
    ],
    ids=str,
)
def test_what_makes_other_tokens_is_refused(
    tmp_path: Path, st: Callable[..., Any], hb: Callable[..., Embedder], changes: dict[str, Any]
) -> None:
    """Where transformers makes other tokens than tokenizer.json, the key is named."""
    folder = build_tiny(tmp_path / "tiny")
    edit(folder / SETTINGS, do_lower_case=False)
    before = st(folder).encode(list(TEXTS))
    edit(folder / SETTINGS, **changes)
    assert np.abs(st(folder).encode(list(TEXTS)) - before).max() > 0.01
    with pytest.raises(UnsupportedModelError, match="would make other tokens"):
        hb(folder)


@pytest.mark.parametrize(
    ("family", "named", "of_model"),
    [
        ("modernbert", "BertTokenizer", None),
        ("bert", None, "PreTrainedTokenizerFast"),
        ("roberta", None, "BertTokenizer"),
        ("mpnet", None, None),
    ],
)
def test_which_class(
    tmp_path: Path, pair: Load, family: str, named: str | None, of_model: str | None
) -> None:
    """The class comes from the family where it is fixed, then from either configuration."""
    folder = build_family(tmp_path / "m", family)
    edit(folder / SETTINGS, tokenizer_class=named)
    edit(folder / "config.json", tokenizer_class=of_model)
    pair(folder).agree(TEXTS)
