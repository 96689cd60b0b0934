"""What is handed out: shapes, token embeddings, dictionaries, cut and normalised vectors."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hotbed import Embedder
from hotbed.errors import UsageError
from hotbed.testing import build_tiny
from hotbed.testing.tiny import TEXTS
from tests.oracle.pair import CUT, Pair, edit

pytestmark = pytest.mark.filterwarnings(CUT)

Both = Callable[..., Pair]
TOKENS = "token_embeddings"
WRONG_WIDTHS = (0, -4, 33)


@pytest.mark.parametrize("texts", ["a dog", "", ["a dog"], ["a dog", "bread"]], ids=repr)
def test_shapes(plain: Pair, texts: str | list[str]) -> None:
    """A text gives one vector and a list gives rows, as in sentence-transformers."""
    plain.agree(texts)


def test_other_sequences(plain: Pair) -> None:
    """A tuple or an array of strings is a list of texts in both."""
    for texts in (tuple(TEXTS), np.array(TEXTS)):
        expected, actual = plain.st.encode(texts), plain.hotbed.encode(texts)
        np.testing.assert_allclose(actual, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("truncate_dim", [None, 8])
def test_an_empty_list(plain: Pair, truncate_dim: int | None) -> None:
    """[] gives (0, d) in hotbed and (0,) in sentence-transformers; both (float) and no rows."""
    assert plain.st.encode([], truncate_dim=truncate_dim).shape == (0,)
    empty = plain.hotbed.encode([], truncate_dim=truncate_dim)
    assert empty.shape == (0, truncate_dim or 32)
    assert empty.dtype == np.float32
    for value in (TOKENS, None):
        assert plain.hotbed.encode([], output_value=value) == []
        assert plain.st.encode([], output_value=value) == []


@pytest.mark.parametrize("batch_size", [1, 3, 32])
def test_batches(plain: Pair, batch_size: int) -> None:
    """The size of a batch changes neither order nor vectors, in both."""
    plain.agree(batch_size=batch_size)


def test_rows_apart(plain: Pair) -> None:
    """convert_to_numpy=False gives a list of numpy rows; sentence-transformers' are tensors."""
    expected = plain.st.encode(["a dog", "bread"], convert_to_numpy=False)
    actual = plain.hotbed.encode(["a dog", "bread"], convert_to_numpy=False)
    assert isinstance(actual, list)
    assert isinstance(expected, list)
    for row, tensor in zip(actual, expected, strict=True):
        np.testing.assert_allclose(row, tensor.numpy(), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("side", ["right", "left"])
@pytest.mark.parametrize("prompt", [None, "query : "])
def test_token_embeddings(both: Both, side: str, prompt: str | None) -> None:
    """Token embeddings are the oracle's, with padding cut only after the last token."""
    pair = both(padding_side=side)
    expected = pair.st.encode(list(TEXTS), output_value=TOKENS, prompt=prompt)
    actual = pair.hotbed.encode(list(TEXTS), output_value=TOKENS, prompt=prompt)
    assert [row.shape for row in actual] == [tuple(row.shape) for row in expected]
    for row, tensor in zip(actual, expected, strict=True):
        np.testing.assert_allclose(row, tensor.numpy(), rtol=1e-5, atol=1e-5)
    one = pair.hotbed.encode("a dog", output_value=TOKENS)
    assert one.shape == tuple(pair.st.encode("a dog", output_value=TOKENS).shape)


@pytest.mark.parametrize("options", [{}, {"truncate_dim": 8}, {"normalize_embeddings": True}])
def test_everything(both: Both, options: dict[str, Any]) -> None:
    """output_value=None gives the oracle's numbers; it also names the modality, and tensors."""
    pair = both(heads=())
    expected = pair.st.encode(list(TEXTS), output_value=None, **options)
    actual = pair.hotbed.encode(list(TEXTS), output_value=None, **options)
    for ours, theirs in zip(actual, expected, strict=True):
        assert set(theirs) - set(ours) == {"modality"}
        assert set(ours) == {"input_ids", "attention_mask", TOKENS, "sentence_embedding"}
        ids = ours["input_ids"][ours["attention_mask"] == 1]
        assert ids.tolist() == theirs["input_ids"][theirs["attention_mask"] == 1].tolist()
        count = len(ids)
        np.testing.assert_allclose(
            ours[TOKENS][:count], theirs[TOKENS][:count].numpy(), rtol=1e-5, atol=1e-5
        )
        np.testing.assert_allclose(
            ours["sentence_embedding"], theirs["sentence_embedding"].numpy(), rtol=1e-5, atol=1e-5
        )
    assert isinstance(pair.hotbed.encode("a dog", output_value=None), dict)
    assert isinstance(pair.st.encode("a dog", output_value=None), dict)


@pytest.mark.parametrize("normalize", [False, True])
@pytest.mark.parametrize("width", [1, 8, 31, 32])
def test_truncate_dim(plain: Pair, width: int, normalize: bool) -> None:
    """Vectors are cut, then normalised if asked: cutting a unit vector leaves a shorter one."""
    plain.agree(truncate_dim=width, normalize_embeddings=normalize)
    length = np.linalg.norm(
        plain.hotbed.encode("a dog", truncate_dim=width, normalize_embeddings=normalize)
    )
    assert (abs(length - 1) < 1e-5) == (normalize or width == 32)


def test_normalize_embeddings(both: Both) -> None:
    """normalize_embeddings gives the oracle's unit vectors where the folder does not normalise."""
    both(heads=()).agree(normalize_embeddings=True)


@pytest.mark.parametrize("call", [None, 6])
@pytest.mark.parametrize("load", [None, 12])
@pytest.mark.parametrize("saved", [None, 20])
def test_where_truncate_dim_is_said(
    tmp_path: Path, pair: Callable[..., Pair], saved: int | None, load: int | None, call: int | None
) -> None:
    """truncate_dim of the call beats that of the load beats the folder's, as in the oracle."""
    folder = build_tiny(tmp_path / "tiny")
    edit(folder / "config_sentence_transformers.json", truncate_dim=saved)
    models = pair(folder, truncate_dim=load)
    models.agree(truncate_dim=call)
    assert models.hotbed.encode("a dog", truncate_dim=call).shape == (call or load or saved or 32,)
    assert models.hotbed.get_embedding_dimension() == models.st.get_embedding_dimension()


@pytest.mark.parametrize("width", WRONG_WIDTHS)
def test_a_wrong_truncate_dim(plain: Pair, width: int) -> None:
    """A truncate_dim outside 1…d is an error in hotbed; the oracle slices with it as it stands."""
    assert plain.st.encode("a dog", truncate_dim=width).shape == (len(range(32)[:width]),)
    with pytest.raises(UsageError, match="vectors have 32 dimensions"):
        plain.hotbed.encode("a dog", truncate_dim=width)


def test_a_wrong_truncate_dim_in_the_folder(
    tmp_path: Path, st: Callable[..., Any], hb: Callable[..., Embedder]
) -> None:
    """A folder's truncate_dim beyond its width stops hotbed's load; the oracle passes it over."""
    folder = build_tiny(tmp_path / "tiny")
    edit(folder / "config_sentence_transformers.json", truncate_dim=33)
    assert st(folder).encode("a dog").shape == (32,)
    with pytest.raises(UsageError, match="vectors have 32 dimensions"):
        hb(folder)


@pytest.mark.parametrize(
    "options",
    [{"batch_size": 0}, {"precision": "int4"}, {"prompt_name": "sorry"}],
    ids=str,
)
def test_arguments_that_both_refuse(plain: Pair, options: dict[str, Any]) -> None:
    """Both refuse these arguments with a ValueError."""
    for model in (plain.st, plain.hotbed):
        with pytest.raises(ValueError, match=r"batch_size|int4|sorry"):
            model.encode("a dog", **options)


def test_an_unknown_output(plain: Pair) -> None:
    """An unknown output_value is a UsageError in hotbed and a bare KeyError in the oracle."""
    with pytest.raises(KeyError, match="sorry"):
        plain.st.encode("a dog", output_value="sorry")
    with pytest.raises(UsageError, match="sorry"):
        plain.hotbed.encode("a dog", output_value="sorry")


def test_tensors(plain: Pair, torch: Any) -> None:
    """hotbed refuses convert_to_tensor; sentence-transformers gives a tensor."""
    assert isinstance(plain.st.encode(["a dog"], convert_to_tensor=True), torch.Tensor)
    with pytest.raises(UsageError, match=r"torch\.from_numpy"):
        plain.hotbed.encode(["a dog"], convert_to_tensor=True)


def test_device(both: Both) -> None:
    """hotbed refuses to move in a call; sentence-transformers moves the model, if only to fail."""
    pair = both()
    pair.agree("a dog", device="cpu")
    with pytest.raises(UsageError, match=r"give device= to hotbed\.load"):
        pair.hotbed.encode("a dog", device="meta")
    with pytest.raises(RuntimeError, match="meta tensors"):
        pair.st.encode("a dog", device="meta")
    assert pair.st.device.type == "meta"
