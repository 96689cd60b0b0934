"""Reading a model folder: limits, names, variants, and what is wrong with broken ones."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import hotbed
from hotbed.errors import CorruptFileError, MissingFileError, ModelError, UnsupportedModelError
from hotbed.models import Weights, read_folder
from hotbed.models.folder import list_files
from hotbed.models.weights import stored_dtype
from hotbed.testing import build_tiny
from hotbed.testing.tiny import bert_config, bert_tensors


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A tiny model."""
    return build_tiny(tmp_path / "tiny")


def change(path: Path, **values: Any) -> None:
    """Change keys of a JSON file; None removes one."""
    found = {**json.loads(path.read_text()), **values}
    path.write_text(json.dumps({k: v for k, v in found.items() if v is not None}))


def test_a_good_folder(folder: Path) -> None:
    """Family, name, files, limit and prompts of a whole folder."""
    model = read_folder(folder)
    assert (model.family, model.name, model.max_seq_length) == ("bert", "tiny", 16)
    assert {"config.json", "1_Pooling/config.json", "model.safetensors"} <= model.files
    assert model.similarity_fn_name == "cosine"
    assert [variant.file for variant in model.variants] == ["model.safetensors"]


def test_hidden_files_do_not_count(folder: Path) -> None:
    """git's and the hub's own files are no part of the model."""
    (folder / ".git").mkdir()
    (folder / ".git" / "config.json").write_text("{}")
    assert not any(name.startswith(".") for name in read_folder(folder).files)


@pytest.mark.parametrize(
    "name", ["roberta", "distilbert", "camembert", "albert", "xlm-roberta", "xlnet"]
)
def test_legacy_names_of_the_transformers_configuration(folder: Path, name: str) -> None:
    """``sentence_<family>_config.json`` is read where the usual name is absent."""
    (folder / "sentence_bert_config.json").rename(folder / f"sentence_{name}_config.json")
    assert read_folder(folder).max_seq_length == 16


@pytest.mark.parametrize(
    ("own", "tokenizer", "positions", "expected"),
    [
        (7, 32, 40, 7),
        (100, 32, 40, 100),
        (None, 32, 40, 32),
        (None, 1e30, 40, 40),
        (None, 64, 40, 40),
        (None, None, 40, 40),
    ],
)
def test_the_limit_of_length(
    folder: Path, own: int | None, tokenizer: float | None, positions: int, expected: int
) -> None:
    """The module's limit wins; else the smaller of the tokenizer's and the positions."""
    change(folder / "sentence_bert_config.json", max_seq_length=own)
    change(folder / "tokenizer_config.json", model_max_length=tokenizer)
    change(folder / "config.json", max_position_embeddings=positions)
    assert read_folder(folder).max_seq_length == expected


def test_families_that_number_positions_from_the_padding(folder: Path) -> None:
    """RoBERTa's 514 positions hold 512 tokens."""
    change(folder / "sentence_bert_config.json", max_seq_length=None)
    change(folder / "tokenizer_config.json", model_max_length=None)
    change(folder / "config.json", model_type="roberta", pad_token_id=1)
    change(folder / "config.json", max_position_embeddings=514)
    assert read_folder(folder).max_seq_length == 512


def test_onnx_files_are_variants_after_the_reference(folder: Path) -> None:
    """``onnx/model*.onnx`` are listed by what their names say, after the safetensors."""
    (folder / "onnx").mkdir()
    for name in ("model_int8.onnx", "model.onnx", "model_cpu.onnx", "model_odd.onnx", "other.onnx"):
        (folder / "onnx" / name).write_bytes(b"x")
    found = [(v.file, v.storage, v.profile) for v in read_folder(folder).variants]
    assert found[:2] == [
        ("model.safetensors", "float32", ""),
        ("onnx/model.onnx", "float32", "portable"),
    ]
    assert set(found[2:]) == {
        ("onnx/model_int8.onnx", "int8", "portable"),
        ("onnx/model_cpu.onnx", "float32", "cpu"),
        ("onnx/model_odd.onnx", "unknown", "portable"),
    }


def test_half_precision_weights_are_told_by_their_bytes(tmp_path: Path) -> None:
    """The storage is what most bytes of the file are, not what config.json claims."""
    tensors = {k: v.astype(np.float16) for k, v in bert_tensors(bert_config()).items()}
    folder = build_tiny(tmp_path / "m", tensors=tensors, config={"dtype": "float32"})
    assert stored_dtype(folder / "model.safetensors") == "float16"
    assert read_folder(folder).variants[0].storage == "float16"


def test_no_folder(tmp_path: Path) -> None:
    """A path that is no folder is a missing file."""
    with pytest.raises(MissingFileError, match="is not a folder"):
        read_folder(tmp_path / "none")


def test_a_missing_configuration_is_named_with_the_way_out(folder: Path) -> None:
    """Without config.json the message names the file, the folder, and what to do."""
    (folder / "config.json").unlink()
    with pytest.raises(MissingFileError, match=r"config\.json is missing .*save_pretrained"):
        read_folder(folder)


JSON_FILES = (
    "config.json",
    "modules.json",
    "1_Pooling/config.json",
    "sentence_bert_config.json",
    "tokenizer_config.json",
    "config_sentence_transformers.json",
)


@pytest.mark.parametrize("name", JSON_FILES)
@pytest.mark.parametrize("content", [b"", b" \n", b'{"model_type": "be', b"\xff\xfe", b"[3]", b"3"])
def test_a_broken_json_file_is_named(folder: Path, name: str, content: bytes) -> None:
    """Empty, cut off, not text, or another kind of JSON: the error names that very file."""
    (folder / name).write_bytes(content)
    with pytest.raises(CorruptFileError, match=name.replace(".", r"\.")):
        read_folder(folder)


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("sentence_bert_config.json", {"max_seq_length": "many"}),
        ("sentence_bert_config.json", {"processor_kwargs": 5}),
        ("tokenizer_config.json", {"model_max_length": "many"}),
        ("config.json", {"max_position_embeddings": "many"}),
        ("1_Pooling/config.json", {"pooling_mode": 5}),
    ],
)
def test_a_value_of_the_wrong_kind_is_an_error_of_the_file(
    folder: Path, name: str, values: dict[str, Any]
) -> None:
    """A word where a number belongs is a corrupt file, not a TypeError from inside."""
    change(folder / "sentence_bert_config.json", max_seq_length=None)
    change(folder / name, **values)
    with pytest.raises(CorruptFileError, match="wrong kind"):
        read_folder(folder)


def test_a_model_without_family_is_corrupt(folder: Path) -> None:
    """``model_type`` names the family; without it nothing can be built."""
    change(folder / "config.json", model_type=None)
    with pytest.raises(CorruptFileError, match="no model_type"):
        read_folder(folder)


@pytest.mark.parametrize("kind", ["SparseEncoder", "CrossEncoder"])
def test_models_of_another_kind_are_refused(folder: Path, kind: str) -> None:
    """A sparse encoder or a reranker is refused by its kind."""
    change(folder / "config_sentence_transformers.json", model_type=kind)
    with pytest.raises(UnsupportedModelError, match=f"is a {kind} model"):
        read_folder(folder)


def test_the_weights_of_heads(tmp_path: Path) -> None:
    """Safetensors where they are; else the pickle, for a backend that reads it."""
    place = build_tiny(tmp_path / "m", heads=("Dense", "Normalize"))
    (weights,) = read_folder(place).head_files
    (place / weights).with_name("pytorch_model.bin").touch()
    assert read_folder(place).head_files == (weights,)
    (place / weights).unlink()
    pickle = f"{weights.rpartition('/')[0]}/pytorch_model.bin"
    assert read_folder(place).head_files == (pickle,)


def test_a_pickle_is_refused_with_the_way_out(folder: Path) -> None:
    """Weights that lie there only as a pickle are refused, with the command that mends it."""
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(MissingFileError, match=r"pytorch_model\.bin, a pickle.*save_pretrained"):
        Weights.open(folder)


@pytest.mark.parametrize("keep", [0, 7, 100, 2000])
def test_cut_off_weights_are_corrupt(folder: Path, keep: int) -> None:
    """A file that ends too early is an error that names it and its size."""
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(CorruptFileError, match=rf"model\.safetensors \({keep:,} bytes\)"):
        _ = read_folder(folder).variants


def test_a_wrong_shape_names_both(folder: Path) -> None:
    """Weights that disagree with config.json: the message has the shape found and the one asked."""
    weights = Weights.open(folder)
    name = "embeddings.LayerNorm.bias"
    with pytest.raises(CorruptFileError, match=r"'embeddings.*\(32,\).*asks for \(33,\)"):
        weights.float32(name, (33,))
    assert weights.float32(name, (32,)).shape == (32,)


def test_an_absent_tensor_is_named(folder: Path) -> None:
    """A tensor that is not there is named with the shape that was wanted."""
    with pytest.raises(CorruptFileError, match=r"no tensor 'pooler\.bias' of shape \(32,\)"):
        Weights.open(folder).float32("pooler.bias", (32,))


def test_weights_of_whole_numbers_are_refused(tmp_path: Path) -> None:
    """Tensors stored as integers are not the model's floats."""
    tensors = {k: v.astype(np.int8) for k, v in bert_tensors(bert_config()).items()}
    folder = build_tiny(tmp_path / "m", tensors=tensors)
    with pytest.raises(UnsupportedModelError, match=r"stored as I8; hotbed reads F32, F16, BF16"):
        Weights.open(folder).float32("embeddings.LayerNorm.bias", (32,))
    assert issubclass(UnsupportedModelError, ModelError)


@pytest.fixture
def crowd(tmp_path: Path) -> Path:
    """A folder such as a home: more below it than in any model."""
    for number in range(12):
        place = tmp_path / "home" / "projects" / str(number)
        place.mkdir(parents=True)
        for name in range(1000):
            (place / f"{name}.json").touch()
    return tmp_path / "home"


def test_a_folder_that_cannot_be_a_model(crowd: Path) -> None:
    """It is refused for what its root lacks; nothing below it is looked at."""
    assert list_files(crowd) == frozenset()
    with pytest.raises(MissingFileError, match=r"config\.json is missing"):
        read_folder(crowd)
    (crowd / "onnx").mkdir()
    (crowd / "onnx" / "model.onnx").touch()
    assert list_files(crowd) == {"onnx/model.onnx"}
    with pytest.raises(MissingFileError, match=r"holds onnx/model\.onnx and not what goes beside"):
        hotbed.load(crowd)


@pytest.mark.parametrize("name", ["config.json", "modules.json"])
def test_a_folder_of_far_too_many_files(crowd: Path, name: str) -> None:
    """Where it may be a model by its root, the walk ends at a bound, which the error names."""
    (crowd / name).write_text("{}", encoding="utf-8")
    for read in (list_files, read_folder, hotbed.load):
        with pytest.raises(UnsupportedModelError, match="holds more than 10,000 files and folders"):
            read(crowd)
    (crowd / "projects").rename(crowd / ".projects")  # hidden: nothing of a model is read there
    assert list_files(crowd) == {name}
