"""What `convert_into` puts into a folder, and when it does not begin."""

from __future__ import annotations

import shutil
from collections import namedtuple
from pathlib import Path

import numpy as np
import pytest

import hotbed
from hotbed.backends import ConvertTarget
from hotbed.conversion import convert_into
from hotbed.errors import ConversionError
from hotbed.loading import default_house
from hotbed.testing import TEXTS

Usage = namedtuple("Usage", "total used free")


def converted(folder: Path, out: Path, *, keep_weights: bool = False) -> set[str]:
    """Convert, and name the files that are there."""
    house = default_house()
    model = house.read(house.locate(str(folder)))
    convert_into(
        house.engine("onnx_cpu"),
        model,
        ConvertTarget(),
        out,
        house.gate(),
        keep_weights=keep_weights,
    )
    return {path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file()}


def test_the_folder_is_complete(tiny: Path, tmp_path: Path) -> None:
    """Tokenizer, configuration, modules, card, graph and record; and no weights of PyTorch."""
    (tiny / "README.md").write_text("# A card", encoding="utf-8")
    assert converted(tiny, tmp_path / "out") == {
        "1_Pooling/config.json",
        "README.md",
        "config.json",
        "config_sentence_transformers.json",
        "hotbed.json",
        "modules.json",
        "onnx/model.onnx",
        "sentence_bert_config.json",
        "tokenizer.json",
        "tokenizer_config.json",
    }


def test_the_weights_come_along_on_request(tiny: Path, tmp_path: Path) -> None:
    """With ``keep_weights`` the safetensors are there, byte for byte, and the folder loads."""
    assert "model.safetensors" in converted(tiny, tmp_path / "out", keep_weights=True)
    same = (tmp_path / "out" / "model.safetensors").read_bytes()
    assert same == (tiny / "model.safetensors").read_bytes()
    with hotbed.load(tiny) as a, hotbed.load(tmp_path / "out") as b:
        np.testing.assert_allclose(a.encode(TEXTS[0]), b.encode(TEXTS[0]), atol=1e-6)


def test_a_disk_without_room_is_asked_first(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both numbers are named, and nothing is begun."""
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(10**9, 10**9, 5_000_000))
    with pytest.raises(ConversionError, match=r"about 0\.02 GB, and 0\.01 GB are free|0\.00 GB"):
        converted(tiny, tmp_path / "out")
    with pytest.raises(ConversionError, match="GB are free"):
        hotbed.load(tiny)
    assert not list(tmp_path.glob("*out*"))
