"""Read tensors from ``model.safetensors``, lazily, with errors that name both shapes."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np
from attrs import frozen
from numpy.typing import NDArray

from hotbed.errors import CorruptFileError, MissingFileError, UnsupportedModelError
from hotbed.models.layout import WEIGHTS

__all__ = ["Weights", "stored_dtype", "why_missing"]

_STORAGE = {"F32": "float32", "F16": "float16", "BF16": "bfloat16"}
_PICKLES = ("pytorch_model.bin", "model.pt", "pytorch_model.pt")


def stored_dtype(path: Path) -> str:
    """The type that most of a safetensors file's bytes are stored in, e.g. ``float16``."""
    with _open(path) as handle:
        sizes: dict[str, int] = {}
        for name in handle.keys():  # noqa: SIM118 - a safetensors handle is not a dict
            part = handle.get_slice(name)
            kind = str(part.get_dtype())
            sizes[kind] = sizes.get(kind, 0) + int(np.prod(part.get_shape(), dtype=np.int64))
    if not sizes:
        raise CorruptFileError(f"{path} holds no tensors")
    largest = max(sizes, key=lambda kind: sizes[kind])
    return _STORAGE.get(largest, largest.lower())


def _open(path: Path) -> Any:
    from safetensors import SafetensorError, safe_open

    if not path.exists():
        beside = [file.name for file in path.parent.glob("*")]
        raise MissingFileError(why_missing(path.parent, beside))
    try:
        return safe_open(path, framework="np")
    except (SafetensorError, OSError, ValueError) as error:
        raise CorruptFileError(
            f"{path} ({path.stat().st_size:,} bytes) cannot be read as safetensors: {error}; "
            f"it may have been cut off: download or save it again"
        ) from error


def why_missing(folder: Path, beside: Collection[str]) -> str:
    """Say why a folder has no ``model.safetensors``, given the names of the files in it."""
    pickles = [name for name in _PICKLES if name in beside]
    if pickles:
        return (
            f"{folder} holds its weights as {pickles[0]}, a pickle; opening one can run any "
            f"code, so hotbed refuses. Save the model again where you trust it: "
            f"`SentenceTransformer(folder).save_pretrained(folder)` writes {WEIGHTS}"
        )
    return f"{WEIGHTS} is missing from {folder}; download or save the model again"


@frozen(kw_only=True, eq=False)
class Weights:
    """The tensors of one ``model.safetensors``. Nothing is read before it is asked for."""

    path: Path
    names: frozenset[str]
    _handle: Any

    @classmethod
    def open(cls, folder: Path) -> Weights:
        """Open the weights of a (module) folder.

        Raises:
            MissingFileError: There are none, or only a pickle.
            CorruptFileError: They cannot be read.
        """
        path = folder / WEIGHTS
        handle = _open(path)
        return cls(path=path, names=frozenset(handle.keys()), handle=handle)

    def float32(self, name: str, shape: tuple[int, ...]) -> NDArray[np.float32]:
        """Read a tensor as float32; float16 and bfloat16 widen without loss.

        Raises:
            CorruptFileError: It is absent, or not of that shape.
            UnsupportedModelError: It is stored in a type that is not a plain float.
        """
        if name not in self.names:
            raise CorruptFileError(
                f"{self.path} holds no tensor {name!r} of shape {shape}; "
                f"it holds {len(self.names)} others, so the weights and config.json disagree"
            )
        part = self._handle.get_slice(name)
        found, kind = tuple(part.get_shape()), str(part.get_dtype())
        if found != shape:
            raise CorruptFileError(
                f"{self.path}: the tensor {name!r} has the shape {found}, and config.json asks "
                f"for {shape}"
            )
        if kind not in _STORAGE:
            raise UnsupportedModelError(
                f"{self.path}: the tensor {name!r} is stored as {kind}; "
                f"hotbed reads {', '.join(_STORAGE)}"
            )
        if kind == "BF16":
            _register_bfloat16()
        tensor: NDArray[np.float32] = self._handle.get_tensor(name).astype(np.float32, copy=False)
        return tensor


def _register_bfloat16() -> None:
    try:
        import ml_dtypes  # noqa: F401 - importing it teaches numpy the type
    except ImportError as error:
        raise UnsupportedModelError(
            "the weights are stored as bfloat16, which numpy reads with the package ml_dtypes: "
            'pip install "hotbed[cpu]"'
        ) from error
