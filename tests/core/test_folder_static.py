"""Folders of static embeddings: what is read from which file, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from hotbed.errors import CorruptFileError, UnsupportedModelError
from hotbed.inference.tokenisation import Tokenizer
from hotbed.models import Normalize, read_folder
from hotbed.testing.tiny_families import build_family


def modules(folder: Path, *kinds: str) -> None:
    """Replace ``modules.json``."""
    entries = [{"path": "", "type": f"sentence_transformers.models.{kind}"} for kind in kinds]
    (folder / "modules.json").write_text(json.dumps(entries), encoding="utf-8")


@pytest.mark.parametrize("place", ["", "0_StaticEmbedding"])
def test_sentence_transformers_folder(tmp_path: Path, place: str) -> None:
    """Its family is ``static``; no special tokens, and no limit but the tokenizer's own."""
    folder = read_folder(build_family(tmp_path / "m", "static", place=place))
    assert folder.family == "static"
    assert folder.pipeline.names == ("StaticEmbedding", "Normalize")
    assert folder.pipeline.pooling.modes == ("mean",)
    assert [variant.format for variant in folder.variants] == ["safetensors"]
    assert folder.variants[0].file == "/".join(filter(None, (place, "model.safetensors")))
    assert folder.max_seq_length is None
    tokenizer = Tokenizer.open(folder)
    assert tokenizer.max_seq_length == 6  # the trap in the tiny tokenizer's file
    assert tokenizer.encode(["the ☃ cat"]).ids == [[4, 1, 6]]


def test_model2vec_folder(tmp_path: Path) -> None:
    """Its family is ``model2vec``; 512 tokens, and unknown ones are dropped."""
    folder = read_folder(build_family(tmp_path / "m", "model2vec"))
    assert folder.family == "model2vec"
    assert folder.pipeline.transformer == ""
    assert folder.pipeline.heads == (Normalize(),)
    assert folder.max_seq_length == 512
    assert Tokenizer.open(folder).encode(["the ☃ cat"]).ids == [[4, 6]]


@pytest.mark.parametrize("normalize", [True, False])
def test_model2vec_without_modules_json(tmp_path: Path, normalize: bool) -> None:
    """``config.json`` alone says what it is, and whether vectors are normalised."""
    path = build_family(tmp_path / "m", "model2vec", config={"normalize": normalize})
    (path / "modules.json").unlink()
    folder = read_folder(path)
    assert folder.family == "model2vec"
    assert folder.pipeline.heads == ((Normalize(),) if normalize else ())


@pytest.mark.parametrize(
    ("config", "family"),
    [
        ({"normalize": True, "embedding_dtype": "float32"}, "model2vec"),
        ({"model_type": "model2vec"}, "model2vec"),
        ({"model_type": "bert", "hidden_size": 3}, "static"),
        ({}, "static"),
    ],
)
def test_the_library_is_known_by_its_config(
    tmp_path: Path, config: dict[str, Any], family: str
) -> None:
    """model2vec may leave ``model_type`` out; a transformer's stray configuration is not read."""
    path = build_family(tmp_path / "m", "static")
    (path / "config.json").write_text(json.dumps(config), encoding="utf-8")
    assert read_folder(path).family == family


@pytest.mark.parametrize("value", [0, -1, "512", 1.5, True])
def test_a_limit_that_is_no_count_is_corrupt(tmp_path: Path, value: Any) -> None:
    """``max_length`` is a positive whole number or null."""
    path = build_family(tmp_path / "m", "model2vec", config={"max_length": value})
    with pytest.raises(CorruptFileError, match=rf"max_length is {value!r}"):
        read_folder(path)


@pytest.mark.parametrize(
    "kinds",
    [
        ("StaticEmbedding", "Pooling"),
        ("StaticEmbedding", "StaticEmbedding"),
        ("StaticEmbedding", "Normalize", "Transformer"),
    ],
)
def test_what_cannot_follow_is_refused(tmp_path: Path, kinds: tuple[str, ...]) -> None:
    """StaticEmbedding gives one vector a text, so nothing that wants tokens comes after it."""
    path = build_family(tmp_path / "m", "static")
    modules(path, *kinds)
    with pytest.raises(UnsupportedModelError, match=r"hotbed runs a StaticEmbedding without a Poo"):
        read_folder(path)


def test_a_static_embedding_after_a_transformer_is_refused(tmp_path: Path) -> None:
    """It can only be the first module."""
    path = build_family(tmp_path / "m", "bert")
    entries = json.loads((path / "modules.json").read_text())
    extra = {"path": "", "type": "sentence_transformers.models.StaticEmbedding"}
    (path / "modules.json").write_text(json.dumps([*entries, extra]), encoding="utf-8")
    with pytest.raises(UnsupportedModelError, match=r"Normalize, StaticEmbedding; hotbed runs a T"):
        read_folder(path)


@pytest.mark.parametrize("path", ["..\\outside", "a\\..\\..\\b", "C:\\x", "\\x"])
def test_a_path_of_the_other_kind_out_of_the_folder_is_refused(tmp_path: Path, path: str) -> None:
    """Backslashes do not lead out of the folder either, on any system."""
    folder = build_family(tmp_path / "m", "static")
    entry = {"path": path, "type": "sentence_transformers.models.StaticEmbedding"}
    (folder / "modules.json").write_text(json.dumps([entry]), encoding="utf-8")
    with pytest.raises(UnsupportedModelError, match=r"leads out of the model folder"):
        read_folder(folder)
