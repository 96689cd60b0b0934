"""A tiny BGE-M3: an XLM-RoBERTa and two linear layers as torch.save writes them, without torch."""

from __future__ import annotations

import json
import struct
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hotbed.testing.tiny_families import build_family

__all__ = ["build_m3", "save_torch", "tensor_pickle"]

_STORAGES = {"float32": b"FloatStorage", "float16": b"HalfStorage"}


def build_m3(folder: Path, *, colbert: int = 24, seed: int = 0, **options: Any) -> Path:
    """Write a tiny BGE-M3 folder: cls pooling, Normalize, and both further heads in float16.

    Args:
        folder: Where.
        colbert: Width of a token's vector.
        seed: For the random weights.
        **options: Arguments of ``build_family``.
    """
    pooling = {"pooling": {"pooling_mode_cls_token": True}}
    build_family(folder, "xlm-roberta", seed=seed, **{**pooling, **options})
    rng = np.random.default_rng(seed + 1)
    hidden = json.loads((folder / "config.json").read_text(encoding="utf-8"))["hidden_size"]
    for name, rows in (("sparse", 1), ("colbert", colbert)):
        weight, bias = rng.normal(scale=0.3, size=(rows, hidden)), rng.normal(size=rows)
        tensors = {"weight": weight.astype(np.float16), "bias": bias.astype(np.float16)}
        save_torch(folder / f"{name}_linear.pt", tensors)
    return folder


def save_torch(path: Path, tensors: Mapping[str, NDArray[Any]]) -> None:
    """Write tensors as torch.save does: a zip archive, stored, with a pickle of protocol 2."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(f"{path.stem}/data.pkl", tensor_pickle(tensors))
        archive.writestr(f"{path.stem}/byteorder", "little")
        for key, tensor in enumerate(tensors.values()):
            raw = np.ascontiguousarray(tensor).tobytes()
            archive.writestr(f"{path.stem}/data/{key}", raw)
        archive.writestr(f"{path.stem}/version", "3\n")


def tensor_pickle(tensors: Mapping[str, NDArray[Any]]) -> bytes:
    """The pickle of a dict of tensors; storages are numbered in order."""
    items = b"".join(
        _text(name) + _tensor(str(key), tensor)
        for key, (name, tensor) in enumerate(tensors.items())
    )
    return b"\x80\x02}(" + items + b"u."


def _tensor(key: str, tensor: NDArray[Any]) -> bytes:
    storage = b"ctorch\n" + _STORAGES[str(tensor.dtype)] + b"\n"
    place = b"(" + _text("storage") + storage + _text(key) + _text("cpu") + _int(tensor.size) + b"t"
    strides = [step // tensor.itemsize for step in np.ascontiguousarray(tensor).strides]
    shape = _ints(tensor.shape) + _ints(strides)
    hooks = b"\x89ccollections\nOrderedDict\n)R"
    return b"ctorch._utils\n_rebuild_tensor_v2\n(" + place + b"Q" + _int(0) + shape + hooks + b"tR"


def _text(value: str) -> bytes:
    raw = value.encode()
    return b"X" + struct.pack("<I", len(raw)) + raw


def _int(value: int) -> bytes:
    return b"J" + struct.pack("<i", value)


def _ints(values: Any) -> bytes:
    return b"(" + b"".join(_int(value) for value in values) + b"t"
