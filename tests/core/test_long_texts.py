"""Long texts are cut before they are tokenized; the tokens are those of the whole text."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tokenizers import AddedToken, Regex, models, normalizers, pre_tokenizers, processors, trainers
from tokenizers import Tokenizer as Backend

from hotbed.errors import UsageError
from hotbed.inference.long_texts import LONG_TEXT, LongTexts
from hotbed.inference.tokenisation import Tokenizer
from hotbed.models import read_folder
from hotbed.testing import build_tiny
from hotbed.testing.tiny import WORDS

QWEN = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
CORPUS = [
    "the cat sees it's own fish, and 1234 red stones  in  the tree; ωόρδς слова über",
    "中文字 日本語です 한국어 don't stop (now) \U0001f600 a\u0301b e\u0301 \u00a0 x\u200dy",
] * 20
FORMS = ("bert", "cased", "gpt2", "qwen", "unigram", "metaspace", "wordpiece")


def trained(form: str) -> Backend:
    """A small tokenizer built as those of a family are."""
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "</s>"]
    ours: dict[str, Any] = {"special_tokens": special, "show_progress": False}
    trainer: Any
    if form in ("bert", "cased", "wordpiece"):
        backend = Backend(models.WordPiece(unk_token="[UNK]", max_input_chars_per_word=100))
        trainer = trainers.WordPieceTrainer(vocab_size=300, **ours)
        if form == "wordpiece":
            backend.normalizer = normalizers.NFKC()
            backend.pre_tokenizer = pre_tokenizers.Whitespace()
        else:
            backend.normalizer = normalizers.BertNormalizer(lowercase=form == "bert")
            backend.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    elif form in ("gpt2", "qwen"):
        backend = Backend(models.BPE())
        trainer = trainers.BpeTrainer(
            vocab_size=600, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), **ours
        )
        backend.normalizer = normalizers.NFC()
        backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=form == "gpt2")
        if form == "qwen":
            backend.pre_tokenizer = pre_tokenizers.Sequence(
                [
                    pre_tokenizers.Split(Regex(QWEN), "isolated"),
                    pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
                ]
            )
    else:
        backend = Backend(models.Unigram())
        trainer = trainers.UnigramTrainer(vocab_size=300, unk_token="[UNK]", **ours)
        backend.normalizer = normalizers.Sequence(
            [normalizers.NFKC(), normalizers.Replace(Regex(" {2,}"), " ")]
        )
        backend.pre_tokenizer = pre_tokenizers.Metaspace()
        if form == "unigram":
            backend.pre_tokenizer = pre_tokenizers.Sequence(
                [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace()]
            )
    backend.train_from_iterator(CORPUS, trainer)
    first, last = special.index("[CLS]"), special.index("[SEP]")
    backend.post_processor = processors.BertProcessing(("[SEP]", last), ("[CLS]", first))
    return backend


BACKENDS = {form: trained(form) for form in FORMS}

PIECES = st.sampled_from(
    [
        *("the cat", " ", "  ", "\n", "\t", "it's", "1234", "don't", "...", "!?", "</s>", "[SEP]"),
        *("слова ", "中文字", "한국어", "e\u0301", "\u0301", " \u0301x", "\u00a0", "x\u200dy"),
        *(
            "a" * 90,
            "b" * 500,
            "ﷺ",
            "\ufc5e",
            "ﬁsh ",
            "\u0d4e a",
            "\U0001f600 ",
            "<",
            "[",
            "]",
            "/s>",
        ),
    ]
) | st.text(max_size=4)


def both(backend: Backend, text: str, limit: int) -> tuple[Any, Any]:
    """What the library does with a text, and what tokenizing all of it gives."""
    backend.enable_truncation(limit)
    ours = Tokenizer(
        backend=backend,
        max_seq_length=limit,
        path=Path("tokenizer.json"),
        pad_id=0,
        rows=None,
        left=False,
        special_ids=frozenset(),
    )
    tokens = ours.encode([text, ""])
    whole = backend.encode(text)
    return (tokens.ids[0], tokens.truncated), (whole.ids, int(bool(whole.overflowing)))


@pytest.mark.parametrize("form", FORMS)
@settings(max_examples=15, deadline=None)
@example(pieces=["the cat "], length=12_000, limit=8)
@example(pieces=["a" * 10_000, " the cat" * 200], length=12_000, limit=8)
@example(pieces=[" " * 9_000, "\u0301 the", "\n" * 9_000, "cat"], length=20_000, limit=8)
@example(pieces=["中文字"], length=12_000, limit=30)
@example(pieces=["!?</s>[SEP]["], length=12_000, limit=30)
@example(pieces=["e\u0301 \u0301x"], length=12_000, limit=30)
@example(pieces=["word"], length=12_000, limit=30)
@example(pieces=["don't stop 's 1234 "], length=15_000, limit=200)
@given(
    pieces=st.lists(PIECES, min_size=1, max_size=12),
    length=st.integers(LONG_TEXT, 2 * LONG_TEXT),
    limit=st.sampled_from([3, 8, 64, 300]),
)
def test_tokens_are_those_of_the_whole_text(
    form: str, pieces: list[str], length: int, limit: int
) -> None:
    """The oracle is ``tokenizers`` itself on the whole text, in every family's construction."""
    once = "".join(pieces) or " "
    text = (once * (length // len(once) + 1))[: max(length, len(once))]
    ours, whole = both(BACKENDS[form], text, limit)
    assert ours == whole


@pytest.mark.parametrize("form", FORMS)
def test_a_long_text_is_really_cut(form: str) -> None:
    """A hundredth of a long text is given to the tokenizer, in each construction."""
    BACKENDS[form].enable_truncation(16)
    rule = LongTexts.of(BACKENDS[form])
    assert rule is not None
    text = "the cat sees fish " * 50_000
    first = next(rule.parts(text))
    assert text.startswith(first)
    assert len(first) <= LONG_TEXT


def refused() -> dict[str, Backend]:
    """Tokenizers whose texts do not fall apart at spaces, or of which that is not known."""
    found = {name: trained("bert") for name in ("left", "own pattern", "added", "no split", "mark")}
    for backend in found.values():
        backend.enable_truncation(16)
    found["left"].enable_truncation(16, direction="left")
    found["own pattern"].pre_tokenizer = pre_tokenizers.Split(Regex("a(?=.*b)"), "isolated")
    found["added"].add_tokens([AddedToken("red fish")])
    found["no split"].pre_tokenizer = pre_tokenizers.Metaspace(split=False)
    found["mark"].normalizer = normalizers.Replace(" ", "\u2581")
    return found


@pytest.mark.parametrize("name", list(refused()))
def test_whatever_is_not_known_is_tokenized_whole(name: str) -> None:
    """Cut on the left, a pattern that looks ahead, an added token with a space, no split."""
    assert LongTexts.of(refused()[name]) is None


def test_counts_and_lone_surrogates_of_long_texts(tmp_path: Path) -> None:
    """Beyond the cut, tokens are counted all the same, and a lone surrogate is found."""
    folder = read_folder(build_tiny(tmp_path / "m"))
    tokenizer = Tokenizer.open(folder, 16)
    text = f"{WORDS[0]} " * 20_000
    tokens = tokenizer.encode(["cat", text, "dog"])
    assert tokens.counts.tolist() == [3, 16, 3]
    assert tokens.truncated == 1
    assert tokenizer.unlimited().encode([text]).counts.tolist() == [20_002]
    with pytest.raises(UsageError, match=r"inputs\[8\].*U\+D800, at character"):
        tokenizer.encode(["cat", text + "\ud800"], start=7)
    replaced = tokenizer.encode([text + "\ud800"], on_invalid_text="replace")
    assert replaced.ids == tokens.ids[1:2]
    np.testing.assert_array_equal(replaced.counts, [16])
