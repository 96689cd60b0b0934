"""The model folder that hotbed writes for others to read."""

from __future__ import annotations

from pathlib import Path

__all__ = ["source_folder", "write"]


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
