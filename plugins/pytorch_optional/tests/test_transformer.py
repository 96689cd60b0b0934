"""What transformers would let pass, with random numbers or without a word, is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import hotbed
from hotbed.errors import CorruptFileError, HotbedError, UnsupportedModelError
from hotbed.loading import House
from hotbed.testing import build_tiny
from hotbed.testing.tiny import bert_config, bert_tensors
from hotbed.testing.tiny_families import build_family

Change = Callable[[dict[str, Any]], Any]

DAMAGES: dict[str, tuple[Change, str]] = {
    "missing": (lambda t: t.pop("encoder.layer.1.output.dense.weight"), "holds no tensor"),
    "nan": (lambda t: t["embeddings.LayerNorm.bias"].__setitem__(3, np.nan), "LayerNorm.bias"),
    "adapter": (
        lambda t: t.update({"encoder.layer.0.output.dense.lora_A.weight": np.ones((2, 48), "f4")}),
        "lora_A.*merged",
    ),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_weights_that_do_not_fit(tmp_path: Path, house: House, name: str) -> None:
    """Tensors that are missing, not finite, or an adapter's are named; nothing is loaded."""
    damage, said = DAMAGES[name]
    tensors = dict(bert_tensors(bert_config()))
    damage(tensors)
    folder = build_tiny(tmp_path / "m", tensors=tensors)
    with pytest.raises(CorruptFileError, match=said):
        hotbed.load(folder, backend="pytorch", house=house)


def test_shapes_that_disagree_with_the_configuration(tmp_path: Path, house: House) -> None:
    """Weights of another width than config.json states are refused."""
    tensors = bert_tensors(bert_config(intermediate_size=64))
    folder = build_tiny(tmp_path / "m", tensors=tensors)
    with pytest.raises(HotbedError, match="cannot open model_type 'bert'"):
        hotbed.load(folder, backend="pytorch", house=house)


def test_an_architecture_that_transformers_does_not_know(tmp_path: Path, house: House) -> None:
    """An unknown model_type is named."""
    folder = build_tiny(tmp_path / "m", config={"model_type": "abacus"})
    with pytest.raises(UnsupportedModelError, match="'abacus'"):
        hotbed.load(folder, backend="pytorch", house=house)


@pytest.mark.parametrize("model_type", ["bert", "abacus"])
def test_code_in_the_folder_is_never_run(tmp_path: Path, house: House, model_type: str) -> None:
    """A folder that brings code of its own is opened without it, or refused."""
    code = {
        "AutoConfig": "code.Config",
        "AutoModel": "code.Model",
    }
    folder = build_tiny(tmp_path / "m", config={"model_type": model_type, "auto_map": code})
    ran = tmp_path / "ran"
    (folder / "code.py").write_text(f"open({str(ran)!r}, 'w').close()\n", encoding="utf-8")
    if model_type == "bert":
        hotbed.load(folder, backend="pytorch", house=house).close()
    else:
        with pytest.raises(UnsupportedModelError):
            hotbed.load(folder, backend="pytorch", house=house)
    assert not ran.exists()


def test_an_encoder_that_takes_no_mask(tmp_path: Path, house: House) -> None:
    """FNet mixes padding into every token, so a text's vector would depend on its batch."""
    folder = build_tiny(tmp_path / "m")
    config = {key: value for key, value in bert_config().items() if key != "architectures"}
    (folder / "config.json").write_text(json.dumps({**config, "model_type": "fnet"}), "utf-8")
    with pytest.raises(UnsupportedModelError, match="takes no attention mask"):
        hotbed.load(folder, backend="pytorch", house=house)


def test_a_static_embedding_has_no_transformer(tmp_path: Path, house: House) -> None:
    """A folder without a transformer is refused in words."""
    folder = build_family(tmp_path / "m", "static")
    with pytest.raises(UnsupportedModelError, match="no transformer"):
        hotbed.load(folder, backend="pytorch", house=house)
