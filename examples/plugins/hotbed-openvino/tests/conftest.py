"""Settings of each test's own, and the models that the tests open."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import hotbed
from hotbed.backends import Artifact, ConvertTarget, ProbeRequest, Recipe
from hotbed.backends.engine import Engine
from hotbed.conversion import convert_into, quantize_into
from hotbed.errors import SourceError
from hotbed.loading import default_house
from hotbed.testing import build_tiny

Quantise = Callable[..., Path]


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Settings of the test's own; the default model stays where HOTBED_HOME says."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.chdir(tmp_path)
    hotbed.refresh()
    yield tmp_path
    hotbed.refresh()


@pytest.fixture
def engine(place: Path) -> Engine:
    """OpenVINO behind its hooks."""
    return default_house().engine("openvino")


@pytest.fixture
def require(engine: Engine) -> Callable[[str], None]:
    """Skip where OpenVINO says that this processor lacks an arithmetic."""

    def check(dtype: str) -> None:
        answer = engine.probe(ProbeRequest(action="embed", device="cpu", dtype=dtype))
        if not answer.ok:
            pytest.skip(answer.reason)

    return check


@pytest.fixture
def tiny(place: Path) -> Path:
    """A tiny model folder."""
    return build_tiny(place / "tiny")


@pytest.fixture
def minilm(place: Path) -> str:
    """The default model, where it was fetched."""
    try:
        hotbed.load("all-MiniLM-L6-v2", local_files_only=True).close()
    except SourceError as error:
        pytest.skip(f"the default model was not fetched: {error}")
    return "all-MiniLM-L6-v2"


@pytest.fixture
def onnx(tiny: Path, place: Path) -> Path:
    """The tiny model as a folder of portable ONNX."""
    return _onnx(tiny, place / "onnx")


def _onnx(model: str | Path, out: Path) -> Path:
    house = default_house()
    located = house.locate(str(model))
    plain = house.read(located)
    located.fetch([plain.variants[0].file])
    converter = house.engine("onnx_cpu")
    return convert_into(converter, plain, ConvertTarget(), out, house.gate()).path


@pytest.fixture
def quantise(place: Path) -> Quantise:
    """Write a model's ONNX form, and its quantised form through hotbed's gate."""
    if importlib.util.find_spec("nncf") is None:
        pytest.skip("nncf is not installed")

    def work(model: str | Path, out: Path, recipe: Recipe, texts: list[str]) -> Path:
        house = default_house()
        folder = house.read(house.locate(str(_onnx(model, out / "float"))))
        (variant,) = folder.variants
        source = Artifact(folder=folder.path, path=folder.path / variant.file, variant=variant)
        made = quantize_into(
            house.engine("openvino"), source, folder, recipe, texts, out / "int8", house.gate()
        )
        return made.path

    return work
