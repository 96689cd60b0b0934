"""Weights in shards, in half precision, and damaged: what every family reads through."""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hotbed import reference
from hotbed.errors import CorruptFileError, MissingFileError, ModelError
from hotbed.models import Weights, read_folder
from hotbed.testing.tiny_families import TINY, build_family
from tests.onnx.reference import build, embed, token_batch

INDEX = "model.safetensors.index.json"


def save_file(tensors: dict[str, Any], path: Path) -> None:
    """Write a safetensors file."""
    importlib.import_module("safetensors.numpy").save_file(tensors, path)


def kind(storage: str) -> Any:
    """A numpy type by name, bfloat16 among them."""
    import ml_dtypes

    return ml_dtypes.bfloat16 if storage == "bfloat16" else np.dtype(storage)


def in_shards(folder: Path, tensors: dict[str, Any], count: int = 3) -> Path:
    """Put tensors in place of a folder's weights, spread over shards as transformers does."""
    (folder / "model.safetensors").unlink()
    index: dict[str, str] = {}
    for number in range(count):
        shard = f"model-{number + 1:05}-of-{count:05}.safetensors"
        part = dict(list(tensors.items())[number::count])
        save_file(part, folder / shard)
        index |= dict.fromkeys(part, shard)
    text = json.dumps({"metadata": {"total_size": 1}, "weight_map": index})
    (folder / INDEX).write_text(text, encoding="utf-8")
    return folder


@pytest.fixture
def sharded(tmp_path: Path) -> Path:
    """A DistilBERT in three shards."""
    tiny = TINY["distilbert"]
    folder = build_family(tmp_path / "m", "distilbert", seed=5)
    return in_shards(folder, tiny.tensors(tiny.config(), 5))


@pytest.mark.parametrize("storage", ["float32", "float16", "bfloat16"])
@pytest.mark.parametrize("family", ["bert", "xlm-roberta"])
def test_shards_are_one_checkpoint(tmp_path: Path, family: str, storage: str) -> None:
    """A model in shards gives the vectors of the same numbers in one file, for both readers."""
    tiny = TINY[family]
    tensors = {k: v.astype(kind(storage)) for k, v in tiny.tensors(tiny.config(), 5).items()}
    whole = build_family(tmp_path / "whole", family, tensors=tensors)
    folder = in_shards(build_family(tmp_path / "parts", family), tensors)
    batch = token_batch(whole)
    expected = reference.sentence_embedding(whole, batch)
    np.testing.assert_array_equal(reference.sentence_embedding(folder, batch), expected)
    for profile in ("cpu", "portable"):
        np.testing.assert_allclose(embed(build(folder, profile), batch), expected, atol=2e-5)
    variant = read_folder(folder).variants[0]
    assert (variant.file, variant.storage) == (INDEX, storage)


def test_shards_travel_with_their_index(sharded: Path) -> None:
    """The variant is the index, and every shard is its companion, to be fetched with it."""
    folder = read_folder(sharded)
    shards = [f"model-0000{n}-of-00003.safetensors" for n in (1, 2, 3)]
    assert folder.companions(folder.variants[0]) == shards
    assert folder.weight_files == (INDEX, *shards)


def test_one_file_comes_before_shards(sharded: Path) -> None:
    """Where both are there, model.safetensors is read, as in transformers."""
    tiny = TINY["distilbert"]
    save_file(tiny.tensors(tiny.config(), 6), sharded / "model.safetensors")
    assert read_folder(sharded).weight_files == ("model.safetensors",)
    assert Weights.open(sharded).path.name == "model.safetensors"


def test_a_missing_shard_is_named(sharded: Path) -> None:
    """Without one of its shards a model is not read, and the shard is named."""
    (sharded / "model-00002-of-00003.safetensors").unlink()
    assert read_folder(sharded).variants == ()
    with pytest.raises(MissingFileError, match="lacks model-00002-of-00003"):
        build(sharded, "cpu")


@pytest.mark.parametrize(
    ("index", "message"),
    [
        ({}, "has no weight_map"),
        ({"weight_map": {"a": "../a.safetensors"}}, r"'\.\./a\.safetensors', which is no file"),
        ({"weight_map": {"a": 3}}, "the shard 3"),
        ({"weight_map": {"a": "model-00001-of-00003.safetensors"}}, "the tensor 'a', and it does"),
    ],
)
def test_an_index_that_misleads(sharded: Path, index: dict[str, Any], message: str) -> None:
    """An index that names nothing, a file elsewhere, or a tensor that is not there is refused."""
    (sharded / INDEX).write_text(json.dumps(index), encoding="utf-8")
    with pytest.raises(CorruptFileError, match=message):
        Weights.open(sharded)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_numbers_that_are_none(tmp_path: Path, value: float) -> None:
    """NaN or infinity in a weight stops the conversion, and the tensor is named."""
    tiny = TINY["distilbert"]
    tensors = tiny.tensors(tiny.config())
    tensors["transformer.layer.1.ffn.lin2.weight"][3, 4] = value
    folder = build_family(tmp_path / "m", "distilbert", tensors=tensors)
    with pytest.raises(CorruptFileError, match=r"'transformer\.layer\.1\.ffn\.lin2\.weight' holds"):
        build(folder, "cpu")


def test_everything_that_does_not_fit_is_named_at_once(tmp_path: Path) -> None:
    """Missing, misshapen and spare tensors come in one message, before anything is written."""
    tiny = TINY["distilbert"]
    tensors = tiny.tensors(tiny.config())
    del tensors["embeddings.LayerNorm.weight"]
    tensors["transformer.layer.0.ffn.lin1.bias"] = np.zeros(7, np.float32)
    tensors["transformer.layer.0.attention.q_lin.lora_A.weight"] = np.zeros((2, 32), np.float32)
    tensors["vocab_transform.weight"] = np.zeros((32, 32), np.float32)  # a head's: no harm
    folder = build_family(tmp_path / "m", "distilbert", tensors=tensors)
    with pytest.raises(ModelError) as caught:
        build(folder, "cpu")
    message = str(caught.value)
    assert "no tensor 'embeddings.LayerNorm.weight' of shape (32,)" in message
    assert "'transformer.layer.0.ffn.lin1.bias' has the shape (7,)" in message
    assert "no place for, transformer.layer.0.attention.q_lin.lora_A.weight" in message
    assert "vocab_transform" not in message
    assert not (tmp_path / "cpu.onnx").exists()


def test_buffers_of_old_checkpoints_do_no_harm(tmp_path: Path) -> None:
    """position_ids, which old versions of transformers saved, is passed over."""
    tiny = TINY["xlm-roberta"]
    tensors = tiny.tensors(tiny.config())
    tensors["embeddings.position_ids"] = np.arange(40)[None]
    folder = build_family(tmp_path / "m", "xlm-roberta", tensors=tensors)
    batch = token_batch(folder)
    expected = reference.sentence_embedding(folder, batch)
    np.testing.assert_allclose(embed(build(folder, "cpu"), batch), expected, atol=2e-5)


@pytest.mark.parametrize("profile", ["portable", "cpu"])
def test_a_table_of_several_blocks_is_written_whole(tmp_path: Path, profile: str) -> None:
    """Word embeddings of 38 MB, read and written in parts, come out as they went in.

    Gemma's are multiplied with the root of their width on the way.
    """
    onnx = importlib.import_module("onnx")
    tiny = TINY["gemma3_text"]
    config = {"vocab_size": 300_000}
    tensors = tiny.tensors(tiny.config(**config))
    folder = build_family(tmp_path / "m", "gemma3_text", config=config, tensors=tensors)
    path = build(folder, profile)
    graph = onnx.load(path).graph
    (table,) = (item for item in graph.initializer if item.name == "embeddings.word")
    expected = tensors["embed_tokens.weight"] * np.float32(32**0.5)
    np.testing.assert_array_equal(onnx.numpy_helper.to_array(table), expected)


def test_a_file_with_its_weights_inside_is_what_protobuf_would_write(tmp_path: Path) -> None:
    """Written front to back without protobuf, the file has no byte more, nor less, than its own."""
    onnx = importlib.import_module("onnx")
    path = build(build_family(tmp_path / "m", "mpnet"), "portable")
    assert path.stat().st_size == onnx.load(path).ByteSize()
