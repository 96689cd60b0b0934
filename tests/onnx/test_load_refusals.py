"""What is known at load: arguments, sizes that weights contradict, and folders that mislead."""

from __future__ import annotations

import json
import operator
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import hotbed
from hotbed.errors import (
    CorruptFileError,
    MissingFileError,
    ModelError,
    NoBackendError,
    UnsupportedModelError,
    UsageError,
)
from hotbed.models import read_folder
from hotbed.testing import TEXTS, build_tiny
from hotbed.testing.tiny import bert_config, bert_tensors
from hotbed.testing.tiny_families import build_family

LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:0123\nsize 90868376\n"

WRONG: dict[str, tuple[Any, ...]] = {
    "threads": (0, -1, "2", 1.5, True, 2**40),
    "max_seq_length": (0, -5, "16", 1e308, True, 16.0, 2**31),
    "truncate_dim": (0, -1, "8", 1e308, True, [], float("nan")),
    "prompts": (["query"], "query: ", {1: "a"}, {"q": 5}, {"q": "\ud800"}),
    "default_prompt_name": (5, ["query"], True),
    "backend": (5, "", ["onnx_cpu"]),
    "dtype": (np.float32, 32, ""),
    "model": (None, 5, "", "a\0b", "\ud800", []),
    "local_files_only": (None, "yes", 1),
    "batch_invariant": (None, "yes", 1),
    "revision": (5, ""),
    "token": (5, []),
    "paranoid": ("yes", 1),
}
ARGUMENTS = [(name, value) for name, values in WRONG.items() for value in values]


@pytest.mark.parametrize(("name", "value"), ARGUMENTS)
def test_an_argument_that_cannot_be_used(tiny: Path, name: str, value: Any) -> None:
    """It is named with its value and what is expected, before anything is read or fetched."""
    arguments: dict[str, Any] = {"model": tiny, name: value}
    with pytest.raises(UsageError, match=rf"^{name}=.*: expected [^;]+$"):
        hotbed.load(**arguments)


def test_all_arguments_come_together(tiny: Path) -> None:
    """Several mistakes are one error."""
    wrong: Any = {"threads": 0, "truncate_dim": "x", "prompts": 3}
    with pytest.raises(UsageError, match=r"threads=0.*truncate_dim='x'.*prompts=3") as caught:
        hotbed.load(tiny, **wrong)
    assert str(caught.value).startswith("threads=0: expected a whole number of at least 1, or None")


def test_numbers_of_numpy_are_numbers(tiny: Path) -> None:
    """What counts as a whole number in Python counts here."""
    with hotbed.load(tiny, max_seq_length=operator.index(np.int64(9)), truncate_dim=8) as model:
        assert model.encode("the cat").shape == (8,)


def test_the_limit_is_checked_when_it_is_set(tiny: Path) -> None:
    """The setter takes what the argument takes."""
    with hotbed.load(tiny) as model:
        wrong: list[Any] = [0, 41, "9", True, 1e308]
        for value in wrong:
            with pytest.raises(UsageError, match="max_seq_length"):
                model.max_seq_length = value
        assert model.max_seq_length == 16


@pytest.mark.parametrize(("asked", "near"), [("onnx", "onnx_cpu"), ("torch", "pytorch")])
def test_names_of_sentence_transformers(tiny: Path, asked: str, near: str) -> None:
    """The message says which backends there are, and which one was probably meant."""
    with pytest.raises(NoBackendError, match=rf"no backend called '{asked}'.*'{near}'\?"):
        hotbed.load(tiny, backend=asked)


def change(path: Path, **values: Any) -> None:
    """Change keys of a JSON file."""
    path.write_text(json.dumps({**json.loads(path.read_text("utf-8")), **values}), "utf-8")


@pytest.mark.parametrize("family", ["bert", "distilbert", "modernbert", "qwen3", "gemma3_text"])
@pytest.mark.parametrize("layers", [20_000, 10**9])
def test_layers_that_are_not_there(tmp_path: Path, family: str, layers: int) -> None:
    """A depth that the tensors contradict is refused with both numbers, and nothing is built."""
    folder = build_family(tmp_path / "m", family)
    key = "n_layers" if family == "distilbert" else "num_hidden_layers"
    change(folder / "config.json", **{key: layers, "layer_types": None})
    with pytest.raises(CorruptFileError, match=rf"{key} is {layers}, and \d+ layers are there"):
        read_folder(folder)


@pytest.mark.parametrize(
    ("family", "key"), [("bert", "hidden_size"), ("distilbert", "dim"), ("qwen3", "hidden_size")]
)
def test_a_width_that_is_not_there(tmp_path: Path, family: str, key: str) -> None:
    """The same of the width."""
    folder = build_family(tmp_path / "m", family)
    change(folder / "config.json", **{key: 2**31 - 1})
    with pytest.raises(CorruptFileError, match=rf"{key} is 2147483647, and the tensor .* shape"):
        read_folder(folder)


SIZES = [
    ("bert", {"vocab_size": 10**9}),
    ("bert", {"intermediate_size": 10**9}),
    ("bert", {"max_position_embeddings": 10**9}),
    ("bert", {"type_vocab_size": 10**9}),
    ("mpnet", {"relative_attention_num_buckets": 10**9}),
    ("modernbert", {"max_position_embeddings": 10**9}),
    ("gte", {"head_dim": 2**16}),
    ("gte", {"max_position_embeddings": 2**31 - 1}),
    ("qwen3", {"num_attention_heads": 2**31 - 2}),
    ("qwen3", {"head_dim": 2**16}),
    ("gemma3_text", {"sliding_window": 2**31 - 1, "intermediate_size": 2**31 - 1}),
]


@pytest.mark.parametrize(("family", "values"), SIZES)
def test_sizes_that_are_not_there(tmp_path: Path, family: str, values: dict[str, Any]) -> None:
    """Any size far beyond the tensors is an error of the model, and nothing is allocated for it."""
    folder = build_family(tmp_path / "m", family)
    change(folder / "config.json", **values)
    with pytest.raises(ModelError, match=r"asks for \(.*[0-9]{5}|rotary positions"):
        hotbed.load(folder, backend="onnx_cpu")


def test_a_static_table_and_heads(tmp_path: Path) -> None:
    """Heads are compared with their weights."""
    folder = build_tiny(tmp_path / "m", heads=("Dense",))
    change(folder / "2_Dense" / "config.json", out_features=10**9)
    with pytest.raises(ModelError, match="1000000000"):
        hotbed.load(folder)


@pytest.mark.parametrize("prefix", ["_orig_mod.", "module.", "model.", "base_model.model.bert."])
def test_weights_under_a_wrappers_prefix(tmp_path: Path, prefix: str) -> None:
    """The prefix that a training wrapper left is named, and what takes it away."""
    folder = build_tiny(tmp_path / "m", tensors=bert_tensors(bert_config(), prefix=prefix))
    with pytest.raises(CorruptFileError, match=rf"start with '{prefix}.*save_pretrained"):
        hotbed.load(folder)


@pytest.mark.parametrize(
    "name", ["model.safetensors", "tokenizer.json", "config.json", "2_Dense/model.safetensors"]
)
def test_pointers_of_git_lfs(tmp_path: Path, name: str) -> None:
    """A clone without git-lfs says so, whichever file was not fetched."""
    folder = build_tiny(tmp_path / "m", heads=("Dense",))
    (folder / name).write_bytes(LFS)
    with pytest.raises(CorruptFileError, match=rf"{name} is a git-lfs pointer.*git lfs pull"):
        hotbed.load(folder)


def _adapter(folder: Path) -> None:
    for path in list(folder.iterdir()):
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    (folder / "adapter_config.json").write_text('{"base_model_name_or_path": "acme/base"}')
    (folder / "adapter_model.safetensors").write_bytes(b"x")


def _graph_alone(folder: Path) -> None:
    for path in list(folder.iterdir()):
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    (folder / "minilm.onnx").write_bytes(b"x")


def _graph_of_another_name(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    (folder / "onnx").mkdir()
    (folder / "onnx" / "minilm.onnx").write_bytes(b"x")


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (_adapter, UnsupportedModelError, r"an adapter, and not the model 'acme/base'.*merge"),
        (_graph_alone, MissingFileError, r"minilm\.onnx.*config\.json, tokenizer\.json is missing"),
        (_graph_of_another_name, MissingFileError, r"holds onnx/minilm\.onnx.*rename it"),
    ],
)
def test_folders_that_are_something_else(
    tiny: Path, make: Callable[[Path], None], error: type[ModelError], message: str
) -> None:
    """The message says what the folder is and what to do."""
    make(tiny)
    with pytest.raises(error, match=message):
        hotbed.load(tiny)


def test_model2vec_is_known_by_its_keys(tmp_path: Path) -> None:
    """A folder without modules.json and model_type is read as model2vec reads it."""
    folder = build_family(tmp_path / "m", "model2vec")
    with hotbed.load(folder) as model:
        expected = model.encode(list(TEXTS))
    (folder / "modules.json").unlink()
    config = json.loads((folder / "config.json").read_text())
    del config["model_type"]
    (folder / "config.json").write_text(json.dumps({**config, "embedding_dtype": "float32"}))
    with hotbed.load(folder) as model:
        np.testing.assert_allclose(model.encode(list(TEXTS)), expected, atol=1e-6)
