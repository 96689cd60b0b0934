"""Tokens, cut vectors, bytes and bits, similarities."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import hotbed
from hotbed import Embedder, quantize_embeddings
from hotbed.errors import UsageError
from hotbed.testing import TEXTS, build_tiny

pytestmark = pytest.mark.filterwarnings("ignore::hotbed.HotbedWarning")


@pytest.fixture
def model(tiny: Path) -> Iterator[Embedder]:
    """The tiny model."""
    with hotbed.load(tiny) as embedder:
        yield embedder


def test_token_embeddings(model: Embedder) -> None:
    """One (tokens, hidden) array a text, unpadded; their mean, normalised, is the vector."""
    found = model.encode(TEXTS, output_value="token_embeddings", batch_size=4)
    counts = np.minimum(model.count_tokens(TEXTS), 16)
    assert [array.shape for array in found] == [(count, 32) for count in counts]
    means = np.array([array.mean(axis=0) for array in found])
    means /= np.linalg.norm(means, axis=1, keepdims=True)
    np.testing.assert_allclose(model.encode(TEXTS), means, atol=1e-5)
    assert model.encode("cat", output_value="token_embeddings").shape == (3, 32)


def test_everything_of_a_text(model: Embedder) -> None:
    """``output_value=None`` gives a dict a text: numbers, mask, tokens and vector."""
    first, second = model.encode(["cat", "the dog"], output_value=None)
    assert set(first) == {
        "input_ids",
        "attention_mask",
        "token_embeddings",
        "sentence_embedding",
    }
    np.testing.assert_allclose(second["sentence_embedding"], model.encode("the dog"), atol=1e-5)
    assert model.encode([], output_value=None) == []


def test_cut_vectors(tiny: Path) -> None:
    """``truncate_dim`` keeps the first dimensions; normalising comes after cutting."""
    with hotbed.load(tiny, truncate_dim=8) as model:
        assert model.get_embedding_dimension() == 8
        cut = model.encode(TEXTS)
        whole = model.encode(TEXTS, truncate_dim=32)
        np.testing.assert_allclose(cut, whole[:, :8], atol=1e-6)
        scaled = model.encode(TEXTS, normalize_embeddings=True)
        np.testing.assert_allclose(np.linalg.norm(scaled, axis=1), 1, atol=1e-5)
        assert model.encode([]).shape == (0, 8)


@pytest.mark.parametrize("precision", ["binary", "ubinary", "int8", "uint8"])
def test_precisions(model: Embedder, precision: str) -> None:
    """Bytes and bits are those that ``quantize_embeddings`` makes of the float vectors."""
    vectors = model.encode(TEXTS)
    ranges = np.stack([vectors.min(axis=0), vectors.max(axis=0)])
    found = model.encode(TEXTS, precision=precision, ranges=ranges)
    assert np.array_equal(found, quantize_embeddings(vectors, precision, ranges=ranges))
    assert model.encode([], precision=precision, ranges=ranges).dtype == found.dtype


@pytest.mark.parametrize("inputs", ["cat", ["cat"]])
def test_bytes_of_one_text_need_ranges(model: Embedder, inputs: str | list[str]) -> None:
    """One text cannot give its own ranges; with given ranges it has bytes."""
    with pytest.raises(UsageError, match="needs ranges= or calibration_embeddings="):
        model.encode(inputs, precision="int8")
    sample = model.encode(TEXTS)
    found = model.encode(inputs, precision="int8", calibration_embeddings=sample)
    assert found.dtype == np.int8


def test_bytes_of_a_stream_need_ranges(model: Embedder) -> None:
    """A stream's ranges would change on the way, so they have to be given; it is told at once."""
    with pytest.raises(UsageError, match="of a stream needs ranges="):
        model.encode(iter(TEXTS), precision="uint8")
    sample = model.encode(TEXTS)
    rows = list(model.encode(iter(TEXTS), precision="uint8", calibration_embeddings=sample))
    expected = model.encode(TEXTS, precision="uint8", calibration_embeddings=sample)
    assert np.array_equal(np.array(rows), expected)


def test_similarities(model: Embedder) -> None:
    """Scores are those of the folder's own similarity, all pairs or row by row."""
    vectors = model.encode(TEXTS[:4])
    scores = model.similarity(vectors, vectors)
    assert scores.shape == (4, 4)
    np.testing.assert_allclose(np.diag(scores), 1, atol=1e-5)
    np.testing.assert_allclose(model.similarity_pairwise(vectors, vectors[::-1])[0], scores[0, 3])
    assert model.similarity_fn_name == "cosine"


def test_the_width_after_every_module(tmp_path: Path) -> None:
    """A Dense and several joined poolings change the dimension that is reported."""
    joined = {"pooling_mode": ["mean", "max"]}
    with hotbed.load(build_tiny(tmp_path / "a", pooling=joined)) as model:
        assert model.get_embedding_dimension() == model.encode("cat").shape[0] == 64
    with hotbed.load(build_tiny(tmp_path / "b", heads=("Dense",))) as model:
        assert model.get_embedding_dimension() == model.encode("cat").shape[0] == 24
