"""``modules.json``: every form that sentence-transformers saved, and what is refused by name."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from hotbed.errors import CorruptFileError, UnsupportedModelError
from hotbed.models import Dense, LayerNorm, Normalize, read_folder
from hotbed.testing import build_tiny


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A tiny model."""
    return build_tiny(tmp_path / "tiny")


def entries(folder: Path) -> list[dict[str, Any]]:
    """The present modules."""
    found: list[dict[str, Any]] = json.loads((folder / "modules.json").read_text())
    return found


def write(folder: Path, value: object) -> None:
    """Replace ``modules.json``."""
    (folder / "modules.json").write_text(json.dumps(value), encoding="utf-8")


def test_all_heads_in_order(tmp_path: Path) -> None:
    """Dense, LayerNorm and Normalize come out in the file's order; Dropout does nothing."""
    heads = ("Dropout", "Dense", "LayerNorm", "Normalize")
    pipeline = read_folder(build_tiny(tmp_path / "m", heads=heads)).pipeline
    assert [type(head) for head in pipeline.heads] == [Dense, LayerNorm, Normalize]
    assert pipeline.names == ("Transformer", "Pooling", *heads)
    assert pipeline.head_paths == ("3_Dense", "4_LayerNorm")
    assert pipeline.dimension(32) == 24


@pytest.mark.parametrize(
    "package",
    [
        "sentence_transformers.models",
        "sentence_transformers.models.Pooling",
        "sentence_transformers.base.modules.pooling",
    ],
)
def test_every_package_of_sentence_transformers(folder: Path, package: str) -> None:
    """A module is known by its last part: its package moved between versions."""
    changed = [
        {**entry, "type": f"{package}.{entry['type'].rpartition('.')[2]}"}
        for entry in entries(folder)
    ]
    write(folder, changed)
    assert read_folder(folder).pipeline.names == ("Transformer", "Pooling", "Normalize")


def test_without_modules_json_it_is_a_bare_transformer(folder: Path) -> None:
    """A folder that transformers saved is pooled by the mean, without heads."""
    (folder / "modules.json").unlink()
    pipeline = read_folder(folder).pipeline
    assert pipeline.pooling.modes == ("mean",)
    assert pipeline.heads == ()


def test_a_bare_causal_model_is_pooled_by_its_last_token(tmp_path: Path) -> None:
    """A causal language model without ``modules.json`` gives its last token."""
    folder = build_tiny(tmp_path / "m", config={"architectures": ["AcmeForCausalLM"]})
    (folder / "modules.json").unlink()
    assert read_folder(folder).pipeline.pooling.modes == ("lasttoken",)


@pytest.mark.parametrize(
    "name",
    "Router Asym CLIPModel BoW LSTM CNN WordEmbeddings WeightedLayerPooling "
    "WordWeights SpladePooling MLMTransformer".split(),
)
def test_known_modules_that_cannot_run_are_refused_with_the_reason(folder: Path, name: str) -> None:
    """A module that hotbed does not run is refused by its name, and the reason is given."""
    module = {"idx": 3, "name": "3", "path": "", "type": f"sentence_transformers.models.{name}"}
    write(folder, [*entries(folder), module])
    with pytest.raises(UnsupportedModelError, match=rf"the module {name} cannot be run: it"):
        read_folder(folder)


def test_an_unknown_module_is_refused(folder: Path) -> None:
    """A module of a future version is refused with the ones that are known."""
    write(folder, [*entries(folder), {"path": "", "type": "sentence_transformers.models.New"}])
    with pytest.raises(UnsupportedModelError, match=r"New is not known; hotbed runs Transformer,"):
        read_folder(folder)


@pytest.mark.parametrize("kind", ["evil.Transformer", "custom_st.Transformer", "Transformer"])
def test_code_of_the_folders_own_is_refused(folder: Path, kind: str) -> None:
    """A class from any other package would mean running code from the folder."""
    write(folder, [{"path": "", "type": kind}, *entries(folder)[1:]])
    with pytest.raises(UnsupportedModelError, match=r"running code from the model folder"):
        read_folder(folder)


@pytest.mark.parametrize("path", ["../outside", "a/../../b", "/etc", ".."])
def test_a_path_out_of_the_folder_is_refused(folder: Path, path: str) -> None:
    """``modules.json`` cannot make hotbed read files elsewhere."""
    changed = entries(folder)
    changed[1]["path"] = path
    write(folder, changed)
    with pytest.raises(UnsupportedModelError, match=r"leads out of the model folder"):
        read_folder(folder)


@pytest.mark.parametrize(
    ("order", "message"),
    [
        ([1, 0, 2], "first module is Pooling"),
        ([0], "one Pooling right after"),
        ([0, 2], "one Pooling right after"),
        ([0, 2, 1], "one Pooling right after"),
        ([0, 1, 1], "one Pooling right after"),
    ],
)
def test_other_orders_are_refused(folder: Path, order: list[int], message: str) -> None:
    """hotbed runs a Transformer, then one Pooling, then heads; others are refused, not guessed."""
    found = entries(folder)
    write(folder, [found[index] for index in order])
    with pytest.raises(UnsupportedModelError, match=message):
        read_folder(folder)


@pytest.mark.parametrize("value", [[], {}, "x", [1], [{"path": ""}], [{"type": "x"}], None])
def test_a_file_of_another_form_is_corrupt(folder: Path, value: object) -> None:
    """JSON that is no list of modules is an error of the file, by name."""
    write(folder, value)
    with pytest.raises(CorruptFileError, match=r"modules\.json"):
        read_folder(folder)


def test_encode_arguments_of_a_module_are_refused(folder: Path) -> None:
    """A module that asks for keyword arguments of ``encode`` would be run differently."""
    found = entries(folder)
    found[2]["kwargs"] = ["task"]
    write(folder, found)
    with pytest.raises(UnsupportedModelError, match=r"arguments of its own \(\['task'\]\)"):
        read_folder(folder)


def test_a_dense_with_an_unknown_activation_is_refused(tmp_path: Path) -> None:
    """An activation that hotbed does not compute is refused by its class."""
    folder = build_tiny(tmp_path / "m", heads=("Dense",), dense={"activation_function": "a.Mish"})
    with pytest.raises(UnsupportedModelError, match=r"'a\.Mish' is not known"):
        read_folder(folder)


def test_a_dense_of_old_is_a_tanh(tmp_path: Path) -> None:
    """A Dense saved before activations were named used Tanh."""
    (head,) = read_folder(build_tiny(tmp_path / "m", heads=("Dense",))).pipeline.heads
    assert isinstance(head, Dense)
    assert head.activation == "tanh"


@pytest.mark.parametrize("key", ["in_features", "out_features"])
def test_a_dense_without_its_sizes_is_corrupt(tmp_path: Path, key: str) -> None:
    """A missing size is named."""
    folder = build_tiny(tmp_path / "m", heads=("Dense",))
    path = folder / "2_Dense" / "config.json"
    config = json.loads(path.read_text())
    del config[key]
    path.write_text(json.dumps(config))
    with pytest.raises(CorruptFileError, match=f"lacks {key}"):
        read_folder(folder)


def test_a_head_on_token_embeddings_is_refused(tmp_path: Path) -> None:
    """A module that reads something else than the sentence embedding is refused."""
    folder = build_tiny(tmp_path / "m", heads=("Dense",), dense={"module_input_name": "tokens"})
    with pytest.raises(UnsupportedModelError, match=r"module_input_name is 'tokens'"):
        read_folder(folder)
