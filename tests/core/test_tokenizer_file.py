"""A ``tokenizer.json`` of a stranger: what is wrong is an error of the file, and nothing dies."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hotbed.errors import CorruptFileError, ModelError, UnsupportedModelError, UsageError
from hotbed.inference.tokenisation import Tokenizer
from hotbed.models import read_folder
from hotbed.testing import build_tiny


def replace(text: str, content: str, kind: str = "String") -> dict[str, Any]:
    """A step that puts one text in the place of another."""
    return {"type": "Replace", "pattern": {kind: text}, "content": content}


def sequence(*steps: Any) -> dict[str, Any]:
    """Steps in order."""
    return {"type": "Sequence", "normalizers": list(steps)}


def charsmap(table: bytes) -> dict[str, Any]:
    """A step that SentencePiece compiled."""
    return {"type": "Precompiled", "precompiled_charsmap": base64.b64encode(table).decode()}


def nested(depth: int) -> dict[str, Any]:
    """Sequences in sequences."""
    step = sequence()
    for _ in range(depth):
        step = sequence(step)
    return step


def template(*single: Any, known: tuple[str, ...] = ()) -> dict[str, Any]:
    """A post-processor."""
    special = {name: {"id": name, "ids": [2], "tokens": [name]} for name in known}
    pair = [{"Sequence": {"id": name, "type_id": 0}} for name in "AB"]
    return {
        "type": "TemplateProcessing",
        "single": list(single),
        "pair": pair,
        "special_tokens": special,
    }


TEXT = {"Sequence": {"id": "A", "type_id": 0}}
BYTES = {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True}

FATAL: dict[str, tuple[str, Any, str]] = {
    "growing strings": (
        "normalizer",
        sequence(*[replace("a", "a" * 100)] * 6),
        "makes 10,000 characters of 1",
    ),
    "growing by turns": (
        "normalizer",
        sequence(*[replace("a", "bb"), replace("b", "aa")] * 20),
        "characters of 1",
    ),
    "growing by a pattern": (
        "normalizer",
        sequence(*[replace(".", "xxxxxxxx", "Regex")] * 9),
        "characters of",
    ),
    "growing after a prefix": (
        "normalizer",
        sequence({"type": "Prepend", "prepend": "q" * 4000}, replace("q", "q" * 4000)),
        "characters of",
    ),
    "growing without names": (
        "normalizer",
        sequence(*[{"pattern": {"String": "a"}, "content": "a" * 100}] * 6),
        "characters of 1",
    ),
    "bytes of bytes": ("normalizer", sequence(*[{"type": "ByteLevel"}] * 30), "characters of"),
    "bytes before words": (
        "pre_tokenizer",
        {"type": "Sequence", "pretokenizers": [BYTES] * 30},
        "characters of",
    ),
    "a huge piece": ("normalizer", replace("a", "b" * 10**6), "puts 1,000,000 characters"),
    "a huge prefix": (
        "normalizer",
        {"type": "Prepend", "prepend": "b" * 10**6},
        "puts 1,000,000 characters",
    ),
    "too many steps": ("normalizer", sequence(*[{"type": "Lowercase"}] * 2000), r"2,00\d steps"),
    "a trie without end": (
        "normalizer",
        charsmap(b"\xff\xff\xff\x7f" + bytes(20)),
        "its trie has 2,147,483,647 bytes, and 20 are there",
    ),
    "no trie": ("normalizer", charsmap(b""), "its trie has 0 bytes"),
    "a trie that is no base64": (
        "normalizer",
        {"type": "Precompiled", "precompiled_charsmap": "%%%"},
        "is not base64",
    ),
    "a trie to a huge piece": (
        "normalizer",
        charsmap(bytes([4, 0, 0, 0]) + bytes(4) + b"x" * 10**5),
        "maps a character to 100,000 bytes",
    ),
    "parts of no length": ("pre_tokenizer", {"type": "FixedLength", "length": 0}, "no length"),
    "nested too deeply": ("normalizer", nested(300), "recursion|nested"),
    "a template of nothing": ("post_processor", template(), "0 places for a text"),
    "a template of many": ("post_processor", template(*[TEXT] * 30), "30 places for a text"),
    "a template of the second": (
        "post_processor",
        template({"Sequence": {"id": "B", "type_id": 0}}),
        "one, called A",
    ),
    "a token that is not there": (
        "post_processor",
        template({"SpecialToken": {"id": "X", "type_id": 0}}, TEXT),
        "names 'X', which is not among",
    ),
    "too many tokens around": (
        "post_processor",
        template(*[{"SpecialToken": {"id": "X", "type_id": 0}}] * 5000, TEXT, known=("X",)),
        "puts 5,000 tokens around",
    ),
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A tiny model."""
    return build_tiny(tmp_path / "tiny")


def rewrite(folder: Path, **parts: Any) -> None:
    """Change parts of the tokenizer's file."""
    path = folder / "tokenizer.json"
    path.write_text(json.dumps({**json.loads(path.read_text("utf-8")), **parts}), "utf-8")


@pytest.mark.parametrize("case", FATAL)
@pytest.mark.parametrize("order", ["first", "last", "escaped"])
def test_what_would_end_the_process_is_refused(folder: Path, case: str, order: str) -> None:
    """Steps that exhaust memory are known before the library runs them, wherever they stand."""
    key, value, message = FATAL[case]
    path = folder / "tokenizer.json"
    whole = json.loads(path.read_text("utf-8"))
    whole[key] = None if order != "first" else value
    text = json.dumps(whole)
    if order != "first":  # once more after the model, where the last one counts
        name = key if order == "last" else f"\\u{ord(key[0]):04x}{key[1:]}"
        text = f'{text[:-1]}, "{name}": {json.dumps(value)}}}'
    path.write_text(text, "utf-8")
    with pytest.raises(ModelError, match=message) as caught:
        Tokenizer.open(read_folder(folder))
    assert "tokenizer.json" in str(caught.value)


USUAL: dict[str, Any] = {
    "gemma": replace(" ", "▁"),
    "many signs": sequence(*[replace(chr(0xBC + i), f"{i}⁄4") for i in range(40)]),
    "XLM-RoBERTa": sequence({"type": "Nmt"}, {"type": "NFKC"}, replace(" {2,}", " ", "Regex")),
    "llama": sequence({"type": "Prepend", "prepend": "▁"}, replace(" ", "▁")),
    "bytes": sequence({"type": "NFC"}, {"type": "ByteLevel"}),
    "one that removes": replace("[\\r\\n]+", "", "Regex"),
}


@pytest.mark.parametrize("case", USUAL)
def test_what_real_tokenizers_do_is_taken(folder: Path, case: str) -> None:
    """Steps of well-known models are run as they are."""
    rewrite(folder, normalizer=USUAL[case])
    assert len(Tokenizer.open(read_folder(folder)).encode(["the cat", ""]).ids) == 2


def test_a_newer_file_is_not_called_cut_off(folder: Path) -> None:
    """JSON that is whole and not understood may be of a newer library; the version is named."""
    rewrite(folder, model={"type": "Hologram", "vocab": {}})
    with pytest.raises(UnsupportedModelError, match=r"newer tokenizers than \d.*pip install -U"):
        Tokenizer.open(read_folder(folder))


def test_a_file_that_was_cut_off_is_corrupt(folder: Path) -> None:
    """Half a file is told to be downloaded again."""
    path = folder / "tokenizer.json"
    path.write_bytes(path.read_bytes()[:300])
    with pytest.raises(CorruptFileError, match=r"300 bytes.*cut off: download"):
        Tokenizer.open(read_folder(folder))


@pytest.mark.parametrize("content", [b"{}", b"[]", b"5", b'{"model": 5}'])
def test_json_that_is_no_tokenizer(folder: Path, content: bytes) -> None:
    """JSON without a model is an error of the file."""
    (folder / "tokenizer.json").write_bytes(content)
    with pytest.raises(CorruptFileError, match="no tokenizer's model"):
        Tokenizer.open(read_folder(folder))


def test_depth_without_end(folder: Path) -> None:
    """A file nested deeper than any reader goes is refused."""
    opening = '{"type": "Sequence", "normalizers": ['
    deep = f'{{"normalizer": {opening * 50_000}{"]}" * 50_000}, "model": {{}}}}'
    (folder / "tokenizer.json").write_text(deep)
    with pytest.raises(CorruptFileError, match="recursion|nested"):
        Tokenizer.open(read_folder(folder))


def test_a_pointer_of_git_lfs(folder: Path) -> None:
    """A file that git-lfs has not fetched says so."""
    (folder / "tokenizer.json").write_text("version https://git-lfs.github.com/spec/v1\noid x\n")
    with pytest.raises(CorruptFileError, match="git lfs pull"):
        Tokenizer.open(read_folder(folder))


def test_what_the_library_raises_at_a_text(folder: Path) -> None:
    """A panic, and a bare exception, while texts are tokenized name the file."""
    rewrite(folder, normalizer=replace("(a|aa)+$x", "", "Regex"))
    with pytest.raises(CorruptFileError, match=r"tokenizer\.json cannot tokenize.*retry-limit"):
        Tokenizer.open(read_folder(folder)).encode(["a" * 60])
    rewrite(
        folder, normalizer=None, model={"type": "WordLevel", "vocab": {"b": 1}, "unk_token": "U"}
    )
    with pytest.raises(CorruptFileError, match=r"cannot tokenize these texts: Exception.*UNK"):
        Tokenizer.open(read_folder(folder)).encode(["a"])


def config(folder: Path, **values: Any) -> None:
    """Change config.json."""
    path = folder / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text("utf-8")), **values}), "utf-8")


def test_a_vocabulary_that_is_larger_than_the_table(folder: Path) -> None:
    """Two files of different models are told apart at load, with both numbers."""
    config(folder, vocab_size=9)
    with pytest.raises(CorruptFileError, match=r"tokenizer\.json has \d+ tokens.*has 9 rows"):
        Tokenizer.open(read_folder(folder))


def test_a_padding_token_outside_the_table(folder: Path) -> None:
    """The padding's number must be a row."""
    config(folder, pad_token_id=4_000_000)
    with pytest.raises(CorruptFileError, match="pad_token_id is 4000000.* rows"):
        Tokenizer.open(read_folder(folder))


def test_a_token_outside_the_table_is_named(folder: Path) -> None:
    """A token that was added after training is refused where a text holds it, by its name."""
    path = folder / "tokenizer.json"
    added = json.loads(path.read_text("utf-8"))["added_tokens"]
    rewrite(folder, added_tokens=[*added, {**added[0], "id": 500, "content": "[NEW]"}])
    tokenizer = Tokenizer.open(read_folder(folder))
    tokens = tokenizer.encode(["the cat", "the [NEW] cat"])
    tokenizer.batch(tokens, np.array([0]))
    with pytest.raises(CorruptFileError, match=r"gives the number \d+ to '\[NEW\]'"):
        tokenizer.batch(tokens, np.array([0, 1]))


def test_more_tokens_than_positions(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A call is refused with both numbers; a folder's own limit is lowered, and that is logged."""
    with pytest.raises(UsageError, match="max_seq_length=41.*positions for 40 tokens"):
        Tokenizer.open(read_folder(folder), 41)
    assert Tokenizer.open(read_folder(folder), 40).max_seq_length == 40
    (folder / "sentence_bert_config.json").write_text('{"max_seq_length": 100}')
    assert Tokenizer.open(read_folder(folder)).max_seq_length == 40
    assert "allow 100 tokens a text, and the model has positions for 40" in caplog.text
