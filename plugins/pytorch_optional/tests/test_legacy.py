"""Folders whose weights are still a pickle: run, exported, and written as safetensors."""

from __future__ import annotations

import importlib
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import hotbed
from hotbed.backends import ConvertTarget
from hotbed.backends.decision import Request
from hotbed.conversion import convert_into, read_records
from hotbed.errors import CorruptFileError
from hotbed.loading import House
from hotbed.testing import TEXTS, build_tiny

PICKLE = "pytorch_model.bin"

pytestmark = pytest.mark.filterwarnings(
    "ignore:.* texts are longer than:hotbed.errors.HotbedWarning"
)


def tensors_of(path: Path) -> dict[str, Any]:
    """What a safetensors file holds, as PyTorch's tensors."""
    found: dict[str, Any] = importlib.import_module("safetensors.torch").load_file(path)
    return found


def age(folder: Path, torch: Any) -> Path:
    """Pickle every safetensors file in a folder, as libraries did up to 2023."""
    for weights in folder.rglob("model.safetensors"):
        torch.save(tensors_of(weights), weights.with_name(PICKLE))
        weights.unlink()
    return folder


@pytest.fixture
def pairs(tmp_path: Path, torch: Any) -> tuple[Path, Path]:
    """One model with a Dense head, as safetensors and as pickles."""
    new = build_tiny(tmp_path / "new", heads=("Dense", "Normalize"))
    return new, age(Path(shutil.copytree(new, tmp_path / "old")), torch)


def modernise(house: House, folder: Path, out: Path) -> Path:
    """What ``hotbed convert --to safetensors`` does."""
    model = house.read(house.locate(str(folder)))
    request = Request(action="convert", to="safetensors")
    chosen = house.decide(request, model).chosen
    assert chosen is not None
    target = ConvertTarget(format="safetensors")
    return convert_into(house.engine(chosen.backend), model, target, out, house.gate()).path


def test_a_pickle_is_run_as_sentence_transformers_runs_it(
    tmp_path: Path, torch: Any, pair: Callable[[Path], Any]
) -> None:
    """Every number is that of sentence-transformers on the same folder."""
    pair(age(build_tiny(tmp_path / "old"), torch)).agree()


def test_safetensors_hold_every_bit(pairs: tuple[Path, Path], tmp_path: Path, house: House) -> None:
    """Of the transformer and of the head; the folder written needs no PyTorch."""
    new, old = pairs
    out = modernise(house, old, tmp_path / "out")
    files = sorted(path.relative_to(new) for path in new.rglob("model.safetensors"))
    assert len(files) == 2
    for file in files:
        wanted, found = tensors_of(new / file), tensors_of(out / file)
        assert wanted.keys() == found.keys()
        assert all(bool((wanted[name] == found[name]).all()) for name in wanted)
    assert not list(out.rglob("*.bin"))
    (record,) = read_records(out)
    assert PICKLE in record.sources
    np.testing.assert_array_equal(
        hotbed.load(out, backend="onnx_cpu", house=house).encode(list(TEXTS)),
        hotbed.load(new, backend="onnx_cpu", house=house).encode(list(TEXTS)),
    )


def test_tied_weights(tmp_path: Path, torch: Any, house: House) -> None:
    """Tensors that share memory, which safetensors refuses, are written once each."""
    folder = build_tiny(tmp_path / "old")
    tensors = tensors_of(folder / "model.safetensors")
    embeddings = tensors["embeddings.word_embeddings.weight"]
    torch.save({**tensors, "cls.predictions.decoder.weight": embeddings}, folder / PICKLE)
    (folder / "model.safetensors").unlink()
    out = modernise(house, folder, tmp_path / "out")
    assert tensors_of(out / "model.safetensors").keys() == {
        *tensors,
        "cls.predictions.decoder.weight",
    }


def test_safetensors_beside_a_pickle_are_what_counts(
    tmp_path: Path, torch: Any, house: House
) -> None:
    """Most folders of the hub hold both: the pickle is not looked at, whatever is in it."""
    folder = build_tiny(tmp_path / "both")
    (folder / PICKLE).write_bytes(b"anything")
    model = house.read(house.locate(str(folder)))
    assert [variant.format for variant in model.variants] == ["safetensors"]
    hotbed.load(folder, backend="pytorch", house=house).close()


class _Hostile:
    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return os.mkdir, ("pwned",)


@pytest.mark.parametrize("action", ["load", "convert"])
def test_a_hostile_pickle_runs_nothing(
    tmp_path: Path, torch: Any, house: House, action: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pickle that calls a function is refused, and the function is not called."""
    monkeypatch.chdir(tmp_path)
    folder = build_tiny(tmp_path / "old")
    tensors = tensors_of(folder / "model.safetensors")
    torch.save({**tensors, "evil": _Hostile()}, folder / PICKLE)
    (folder / "model.safetensors").unlink()
    runs: dict[str, Callable[[], object]] = {
        "load": lambda: hotbed.load(folder, backend="pytorch", house=house),
        "convert": lambda: modernise(house, folder, tmp_path / "out"),
    }
    run = runs[action]
    with pytest.raises(CorruptFileError, match=r"holds more than tensors.*nothing in it was run"):
        run()
    assert not Path("pwned").exists()
    assert not Path("out").exists()


def _cut(path: Path, torch: Any) -> None:
    path.write_bytes(path.read_bytes()[:2000])


def _nan(path: Path, torch: Any) -> None:
    tensors = torch.load(path, weights_only=True)
    tensors["encoder.layer.0.output.dense.bias"][3] = float("nan")
    torch.save(tensors, path)


def _checkpoint(path: Path, torch: Any) -> None:
    torch.save({"model": torch.load(path, weights_only=True), "epoch": 3}, path)


def _list(path: Path, torch: Any) -> None:
    torch.save([torch.ones(2)], path)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (_cut, "cannot be read by torch.load"),
        (_nan, "'encoder.layer.0.output.dense.bias' holds NaN or infinity"),
        (_checkpoint, "not the weights of a model: its entry 'model' is no tensor"),
        (_list, "not the weights of a model: list"),
    ],
)
def test_what_is_wrong_with_a_pickle_is_said(
    tmp_path: Path, torch: Any, house: House, damage: Callable[[Path, Any], None], message: str
) -> None:
    """The file is named, and no folder is left."""
    folder = age(build_tiny(tmp_path / "old"), torch)
    damage(folder / PICKLE, torch)
    with pytest.raises(CorruptFileError, match=message):
        modernise(house, folder, tmp_path / "out")
    assert not (tmp_path / "out").exists()
