"""What else a folder tells its tokenizer: case, accents, padding, files that disagree."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hotbed import Embedder
from hotbed.errors import MissingFileError
from hotbed.testing import build_tiny
from tests.oracle.pair import Pair, edit

Load = Callable[..., Pair]
CASES = (
    "a dog",
    "A DOG runs",
    "The Straße 数数 [SEP] [sep]",
    "café Cafe\u0301",
    "",
    "the\u200bcat\x00",
)


@pytest.mark.parametrize("lower", [False, True])
def test_do_lower_case(tmp_path: Path, pair: Load, lower: bool) -> None:
    """sentence-transformers' own do_lower_case lower-cases before the tokenizer, as there."""
    models = pair(build_tiny(tmp_path / "tiny", do_lower_case=lower))
    models.agree(CASES)
    small, large = models.hotbed.encode(["a dog", "A DOG"])
    assert ((small == large).all()) == lower


@pytest.mark.parametrize("name", ["BertTokenizer", "BertTokenizerFast", None])
@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"do_lower_case": False},
        {"do_lower_case": True},
        {"do_lower_case": False, "strip_accents": True},
        {"strip_accents": False},
        {"tokenize_chinese_chars": False},
    ],
    ids=str,
)
def test_tokenizer_config_beats_tokenizer_json(
    tmp_path: Path, pair: Load, name: str | None, settings: dict[str, bool]
) -> None:
    """A BERT tokenizer's case and accents come from tokenizer_config.json, as in transformers."""
    folder = build_tiny(tmp_path / "tiny")  # its tokenizer.json does not lower-case
    edit(folder / "tokenizer_config.json", tokenizer_class=name, **settings)
    pair(folder).agree(CASES)


def test_the_generic_class_keeps_tokenizer_json(tmp_path: Path, pair: Load) -> None:
    """PreTrainedTokenizerFast takes no notice of do_lower_case, as in transformers."""
    folder = build_tiny(tmp_path / "tiny")
    edit(folder / "tokenizer_config.json", do_lower_case=True)
    models = pair(folder)
    models.agree(CASES)
    small, large = models.hotbed.encode(["a dog", "A DOG"])
    assert (small != large).any()


def test_processor_kwargs(tmp_path: Path, pair: Load) -> None:
    """The Transformer module's processor_kwargs overrule the tokenizer's, as in the oracle."""
    folder = build_tiny(tmp_path / "tiny")
    edit(folder / "tokenizer_config.json", tokenizer_class="BertTokenizer", do_lower_case=False)
    path = folder / "sentence_bert_config.json"
    edit(path, processor_kwargs={"do_lower_case": True, "padding_side": "left"})
    pair(folder).agree(CASES)


@pytest.mark.parametrize("told", ["right", "left", None])
def test_padding_told_by_tokenizer_json(tmp_path: Path, pair: Load, told: str | None) -> None:
    """The side of tokenizer.json's padding holds where tokenizer_config.json is silent."""
    folder = build_tiny(tmp_path / "tiny", pooling={"pooling_mode": "weightedmean"})
    path = folder / "tokenizer.json"
    value = json.loads(path.read_text(encoding="utf-8"))
    value["padding"]["direction"] = "Left"
    path.write_text(json.dumps(value), encoding="utf-8")
    edit(folder / "tokenizer_config.json", padding_side=told)
    pair(folder).agree(CASES)


def test_no_tokenizer_json(
    tmp_path: Path, st: Callable[..., Any], hb: Callable[..., Embedder]
) -> None:
    """hotbed needs tokenizer.json; sentence-transformers can build BERT's from vocab.txt."""
    folder = build_tiny(tmp_path / "tiny")
    path = folder / "tokenizer.json"
    vocabulary = json.loads(path.read_text(encoding="utf-8"))["model"]["vocab"]
    (folder / "vocab.txt").write_text("\n".join(vocabulary), encoding="utf-8")
    path.unlink()
    edit(folder / "tokenizer_config.json", tokenizer_class="BertTokenizer")
    assert st(folder).encode("a dog").shape == (32,)
    with pytest.raises(MissingFileError, match=r"tokenizer\.json is missing"):
        hb(folder)
