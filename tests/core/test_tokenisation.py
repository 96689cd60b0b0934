"""From texts to padded token numbers, with real tokenizers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hotbed.errors import CorruptFileError, MissingFileError, UsageError
from hotbed.inference.tokenisation import Tokenizer
from hotbed.models import read_folder
from hotbed.testing import TEXTS, build_tiny
from hotbed.testing.tiny import WORDS


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny model."""
    return build_tiny(tmp_path_factory.mktemp("models") / "tiny")


def opened(folder: Path, limit: int | None = None, **options: Any) -> Tokenizer:
    """The tokenizer of a folder."""
    return Tokenizer.open(read_folder(folder), limit, **options)


def test_the_files_own_padding_and_truncation_are_dropped(tiny: Path) -> None:
    """A ``tokenizer.json`` that pads to 24 and cuts at 6 does neither here."""
    counts = opened(tiny).encode(["cat", "the cat runs over the red stone"]).counts
    assert counts.tolist() == [3, 9]


def test_texts_are_cut_at_the_limit_and_counted(tiny: Path) -> None:
    """Texts longer than the limit are cut and counted; one of just that length is not."""
    tokens = opened(tiny, 5).encode(["cat dog fish", "cat dog fish moon", "cat"])
    assert tokens.counts.tolist() == [5, 5, 3]
    assert tokens.truncated == 1
    assert opened(tiny, 5).unlimited().encode(["cat dog fish moon"]).counts.tolist() == [6]


@pytest.mark.parametrize("limit", [1, 0, -3])
def test_a_limit_below_the_special_tokens_is_refused(tiny: Path, limit: int) -> None:
    """A limit that cannot hold [CLS] and [SEP] would cut nothing at all, so it is an error."""
    with pytest.raises(UsageError, match=rf"max_seq_length={limit}: at least 2 tokens"):
        opened(tiny, limit)


@pytest.mark.parametrize("side", ["right", "left"])
def test_padding(tmp_path: Path, side: str) -> None:
    """Shorter rows are padded on the folder's side, with its padding id, and masked."""
    tokenizer = opened(build_tiny(tmp_path / "m", padding_side=side))
    tokens = tokenizer.encode(["cat dog fish", "cat"])
    batch = tokenizer.batch(tokens, np.array([0, 1]))
    assert batch.input_ids.shape == (2, 5)
    assert batch.input_ids.dtype == np.int64
    expected = [1, 1, 1, 0, 0] if side == "right" else [0, 0, 1, 1, 1]
    assert batch.attention_mask.tolist() == [[1] * 5, expected]
    assert batch.input_ids[1][batch.attention_mask[1] == 0].tolist() == [0, 0]
    assert batch.input_ids.flags.c_contiguous


def test_a_prompt_that_pooling_leaves_out(tiny: Path) -> None:
    """With the prompt dropped the pooling mask begins after [CLS] and the prompt's tokens."""
    tokenizer = opened(tiny)
    kept = tokenizer.encode(["cat"], "query : ")
    assert not tokenizer.batch(kept, np.array([0])).masks_differ
    dropped = tokenizer.encode(["cat"], "query : ", drop_prompt=True)
    batch = tokenizer.batch(dropped, np.array([0]))
    assert batch.masks_differ
    assert batch.attention_mask.tolist() == [[1, 1, 1, 1, 1]]
    assert batch.pooling_mask.tolist() == [[0, 0, 0, 1, 1]]


@given(texts=st.lists(st.lists(st.sampled_from(WORDS)).map(" ".join), min_size=1, max_size=8))
def test_a_batch_holds_each_texts_own_tokens(tiny: Path, texts: list[str]) -> None:
    """What is not padding in a row is that text's tokens, in any batch."""
    tokenizer = opened(tiny)
    tokens = tokenizer.encode(texts)
    rows = np.arange(len(texts))[::-1].copy()
    batch = tokenizer.batch(tokens, rows)
    for place, row in enumerate(rows):
        real = batch.input_ids[place][batch.attention_mask[place] == 1]
        assert real.tolist() == tokens.ids[row]
    assert batch.input_ids.shape[1] == max(map(len, tokens.ids))


def test_lower_casing_comes_before_the_tokenizers_own(tmp_path: Path) -> None:
    """``do_lower_case`` of the Transformer module lowers texts that the tokenizer would not."""
    plain = opened(build_tiny(tmp_path / "a")).encode(["The CAT"]).ids
    lowered = opened(build_tiny(tmp_path / "b", do_lower_case=True)).encode(["The CAT"]).ids
    assert lowered == opened(build_tiny(tmp_path / "c")).encode(["the cat"]).ids
    assert plain != lowered


def test_no_tokenizer(tmp_path: Path) -> None:
    """Without ``tokenizer.json`` the message says what writes one."""
    folder = build_tiny(tmp_path / "m")
    (folder / "tokenizer.json").unlink()
    with pytest.raises(MissingFileError, match=r"tokenizer\.json is missing.*AutoTokenizer"):
        opened(folder)


@pytest.mark.parametrize("content", [b"", b"{}", b'{"model": {"type": "WordPiece", ', b"\xff"])
def test_a_broken_tokenizer_is_named(tmp_path: Path, content: bytes) -> None:
    """A ``tokenizer.json`` that cannot be parsed is a corrupt file, with its size."""
    folder = build_tiny(tmp_path / "m")
    (folder / "tokenizer.json").write_bytes(content)
    with pytest.raises(CorruptFileError, match=rf"tokenizer\.json \({len(content)} bytes\)"):
        opened(folder)


def test_the_tiny_texts_are_of_many_lengths(tiny: Path) -> None:
    """The texts that other tests use hold an empty one, unknown signs and one that is cut."""
    tokens = opened(tiny).encode(TEXTS)
    assert tokens.counts.min() == 2
    assert tokens.counts.max() == 16
    assert tokens.truncated
