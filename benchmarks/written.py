"""The model folder that hotbed writes for others to read."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

__all__ = ["quantise", "source_folder", "write"]


def source_folder(model: str) -> Path:
    """The folder that hotbed reads a model from, made present."""
    from hotbed.loading import default_house

    house = default_house()
    located = house.locate(model)
    located.fetch({"model.safetensors"} & located.files)
    return house.read(located).path


def write(model: str, out: Path, *, profile: str, backend: str = "onnx_cpu") -> Path:
    """Write ``out`` as a model folder with ``onnx/model.onnx`` of a profile."""
    from hotbed.backends.values import ConvertTarget
    from hotbed.conversion import convert_into
    from hotbed.loading import default_house

    house = default_house()
    folder = house.read(house.locate(model))
    convert_into(house.engine(backend), folder, ConvertTarget(profile=profile), out, house.gate())
    return out


def quantise(model: str, out: Path, recipe: str, texts: Sequence[str]) -> Path:
    """Write a folder quantised by the OpenVINO plugin, calibrated on some texts; give it."""
    from hotbed.backends import Artifact, Recipe
    from hotbed.conversion import quantize_into
    from hotbed.loading import default_house

    house = default_house()
    source = house.read(house.locate(str(write(model, out / "float", profile="portable"))))
    (variant,) = source.variants
    artifact = Artifact(folder=source.path, path=source.path / variant.file, variant=variant)
    engine = house.engine("openvino")
    made = quantize_into(
        engine, artifact, source, Recipe(name=recipe), texts, out / "int8", house.gate()
    )
    return made.path
