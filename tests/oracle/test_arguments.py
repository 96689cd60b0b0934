"""Arguments and names that one side has and the other has not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hotbed import Embedder
from hotbed.errors import UsageError
from hotbed.testing import build_tiny
from tests.oracle.pair import Pair


@pytest.mark.parametrize("argument", [{"pool": None}, {"chunk_size": 4}], ids=str)
def test_many_processes(plain: Pair, argument: dict[str, Any]) -> None:
    """hotbed's encode has no pool and no chunk_size; sentence-transformers' has both."""
    assert plain.st.encode(["a dog"], **argument).shape == (1, 32)
    with pytest.raises(TypeError, match="unexpected keyword"):
        plain.hotbed.encode(["a dog"], **argument)


def test_the_old_name_of_inputs(plain: Pair) -> None:
    """sentence-transformers still takes inputs as sentences=; hotbed does not know the name."""
    old: dict[str, Any] = {"sentences": ["a dog"]}
    assert plain.st.encode(**old).shape == (1, 32)
    with pytest.raises(TypeError, match="unexpected keyword"):
        plain.hotbed.encode(**old)


def test_the_old_name_of_the_dimension(plain: Pair) -> None:
    """get_sentence_embedding_dimension works in both; only sentence-transformers deprecates it."""
    with pytest.warns(FutureWarning, match="renamed"):
        expected = plain.st.get_sentence_embedding_dimension()
    assert plain.hotbed.get_sentence_embedding_dimension() == expected


def test_code_from_the_folder(
    tmp_path: Path, st: Callable[..., Any], hb: Callable[..., Embedder]
) -> None:
    """hotbed refuses trust_remote_code=True; sentence-transformers would run the folder's code."""
    folder = build_tiny(tmp_path / "tiny")
    assert st(folder, trust_remote_code=True).trust_remote_code
    with pytest.raises(UsageError, match="never runs code from a model folder"):
        hb(folder, trust_remote_code=True)


@pytest.mark.parametrize("limit", [1, 0])
def test_a_limit_below_the_special_tokens(both: Callable[..., Pair], limit: int) -> None:
    """hotbed refuses a limit that holds no special tokens; the oracle then cuts nothing."""
    pair = both()
    pair.st.max_seq_length = limit
    assert len(pair.st.encode("a dog runs over", output_value="token_embeddings")) == 6
    with pytest.raises(UsageError, match=f"max_seq_length={limit}"):
        pair.hotbed.max_seq_length = limit
