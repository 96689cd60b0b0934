"""Read tensors from ``model.safetensors`` or shards, lazily; errors name both shapes."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from attrs import evolve, frozen
from numpy.typing import NDArray

from hotbed.errors import CorruptFileError, MissingFileError, UnsupportedModelError
from hotbed.models.adapter import Adapter, open_adapter
from hotbed.models.damage import lfs_advice, looks_like_pointer
from hotbed.models.jsonfile import is_there, read_object
from hotbed.models.layout import WEIGHTS

__all__ = ["INDEX", "Weights", "read_index", "stored_dtype", "why_missing"]

INDEX = f"{WEIGHTS}.index.json"
"""Where transformers writes which shard holds which tensor."""

_LONGEST_HEADER = 32_000_000
"""Bytes. A header takes about 120 a tensor, and some thousand tensors are many."""

_STORAGE = {"F32": "float32", "F16": "float16", "BF16": "bfloat16"}
_WHOLE = ("I64", "I32", "U32", "I16", "U16", "I8", "U8")
_PICKLES = ("pytorch_model.bin", "model.pt", "pytorch_model.pt")


def stored_dtype(path: Path) -> str:
    """The type that most of the bytes are stored in, e.g. ``float16``; of a file or of an index."""
    sizes: dict[str, int] = {}
    names = sorted(set(read_index(path).values())) if path.name == INDEX else [path.name]
    for name in names:
        with _open(path.with_name(name)) as handle:
            for tensor in handle.keys():  # noqa: SIM118 - a safetensors handle is not a dict
                part = handle.get_slice(tensor)
                kind = str(part.get_dtype())
                if kind in ("I64", "I32"):
                    continue  # row numbers: nothing computes with them
                sizes[kind] = sizes.get(kind, 0) + int(np.prod(part.get_shape(), dtype=np.int64))
    if not sizes:
        raise CorruptFileError(f"{path} holds no tensors")
    largest = max(sizes, key=lambda kind: sizes[kind])
    return _STORAGE.get(largest, largest.lower())


def read_index(path: Path) -> dict[str, str]:
    """Read ``model.safetensors.index.json``: tensor → the shard that holds it, in the same folder.

    Raises:
        CorruptFileError: It is not an index, or names a file outside its folder.
    """
    found = read_object(path).get("weight_map")
    if not isinstance(found, dict) or not found:
        raise CorruptFileError(f"{path} has no weight_map; download or save the model again")
    for shard in found.values():
        if not isinstance(shard, str) or shard != Path(shard).name or shard in ("", ".", ".."):
            raise CorruptFileError(f"{path} names the shard {shard!r}, which is no file beside it")
    return found


def _open(path: Path) -> Any:
    from safetensors import SafetensorError, safe_open

    if not is_there(path):
        beside = [file.name for file in path.parent.glob("*")]
        raise MissingFileError(why_missing(path.parent, beside))
    if not path.is_file():  # opening a pipe would wait for a writer
        raise CorruptFileError(f"{path} is no file, but a folder, a pipe or a device")
    if looks_like_pointer(path):
        raise CorruptFileError(lfs_advice(path))
    try:
        _require_header(path)
        return safe_open(path, framework="np")
    except (SafetensorError, OSError, ValueError) as error:
        raise CorruptFileError(
            f"{path} ({path.stat().st_size:,} bytes) cannot be read as safetensors: {error}; "
            f"it may have been cut off: download or save it again"
        ) from error


def _require_header(path: Path) -> None:
    """The header's length, which the file states first, is bounded before anything is read."""
    size = path.stat().st_size
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
    if size < 8 or length > min(size - 8, _LONGEST_HEADER):
        raise CorruptFileError(
            f"{path} ({size:,} bytes) cannot be read as safetensors: it says that its header has "
            f"{length:,} bytes (at most {_LONGEST_HEADER:,}); it may have been cut off: download "
            f"or save it again"
        )


def why_missing(folder: Path, beside: Collection[str]) -> str:
    """Say why a folder has no weights that can be read, given the names of the files in it."""
    if INDEX in beside and (folder / INDEX).exists():
        absent = sorted(set(read_index(folder / INDEX).values()) - set(beside))
        if absent:
            return (
                f"{folder} lacks {', '.join(absent)}, which {INDEX} names; "
                f"download or save the model again"
            )
    pickles = [name for name in _PICKLES if name in beside]
    if pickles:
        return (
            f"{folder} holds its weights as {pickles[0]}, a pickle; opening one can run any "
            f"code, so hotbed refuses. Save the model again where you trust it: "
            f"`SentenceTransformer(folder).save_pretrained(folder)` writes {WEIGHTS}; or let "
            f"`hotbed convert {folder} --to safetensors --out NEW` with `pip install "
            f'"hotbed[torch]"`, which builds tensors and runs nothing'
        )
    if others := sorted(name for name in beside if name.endswith(".onnx")):
        return (
            f"{folder} holds {', '.join(others[:5])}, and hotbed reads ONNX files that are called "
            f"model.onnx, or model_int8.onnx and the like, in the folder or in onnx/: rename it "
            f"to onnx/model.onnx"
        )
    return f"{WEIGHTS} is missing from {folder}; download or save the model again"


@frozen(kw_only=True, eq=False)
class Weights:
    """The tensors of ``model.safetensors``, or of the shards that stand in its place.

    Nothing is read before it is asked for.

    Attributes:
        path: The file, or the index of the shards.
        names: Every tensor.
        adapter: What is added to some of them: an adapter that lies beside them.
    """

    path: Path
    names: frozenset[str]
    _handles: Mapping[str, Any]
    adapter: Adapter | None = None

    @classmethod
    def open(cls, folder: Path) -> Weights:
        """Open the weights of a (module) folder.

        Raises:
            MissingFileError: There are none, or only a pickle, or a shard is not there.
            CorruptFileError: They cannot be read, or a shard lacks what the index says it holds.
        """
        path = folder / WEIGHTS
        single = path.exists() or not (folder / INDEX).exists()
        found = cls.of_file(path) if single else cls._sharded(folder / INDEX)
        return evolve(found, adapter=open_adapter(folder, found.names))

    @classmethod
    def of_file(cls, path: Path) -> Weights:
        """Open one safetensors file as it stands."""
        handle = _open(path)
        handles = dict.fromkeys(handle.keys(), handle)
        return cls(path=path, names=frozenset(handles), handles=handles)

    @classmethod
    def _sharded(cls, path: Path) -> Weights:
        index = read_index(path)
        opened = {shard: _open(path.with_name(shard)) for shard in sorted(set(index.values()))}
        held = {shard: frozenset(handle.keys()) for shard, handle in opened.items()}
        for name, shard in index.items():
            if name not in held[shard]:
                raise CorruptFileError(
                    f"{path} says that {shard} holds the tensor {name!r}, and it does not; "
                    f"download or save the model again"
                )
        handles = {name: opened[shard] for name, shard in index.items()}
        return cls(path=path, names=frozenset(index), handles=handles)

    def shape(self, name: str) -> tuple[int, ...] | None:
        """The shape of a tensor; None where there is none of that name."""
        return tuple(self._slice(name).get_shape()) if name in self.names else None

    def float32(
        self, name: str, shape: tuple[int, ...], *, rows: slice | None = None
    ) -> NDArray[np.float32]:
        """Read a tensor as float32; float16 and bfloat16 widen without loss.

        Args:
            name: The tensor.
            shape: Its shape.
            rows: The part of its first axis to read; None reads all.

        Raises:
            CorruptFileError: It is absent, not of that shape, or holds NaN or infinity.
            UnsupportedModelError: It is stored in a type that is not a plain float.
        """
        if name not in self.names:
            raise CorruptFileError(
                f"{self.path} holds no tensor {name!r} of shape {shape}; "
                f"it holds {len(self.names)} others, so the weights and config.json disagree"
            )
        part = self._slice(name)
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
        values = self._handles[name].get_tensor(name) if rows is None else part[rows]
        tensor: NDArray[np.float32] = values.astype(np.float32, copy=False)
        if self.adapter is not None:
            tensor = self.adapter.add(name, tensor, rows)
        # NaN and infinity show in the extremes, which need no second array of the tensor's size.
        if tensor.size and not (np.isfinite(tensor.min()) and np.isfinite(tensor.max())):
            raise CorruptFileError(
                f"{self.path}: the tensor {name!r} holds NaN or infinity; every vector would be "
                f"spoilt. Save the model again from a sound checkpoint"
            )
        return tensor

    def is_whole(self, name: str) -> bool:
        """Whether a tensor is stored as whole numbers."""
        return str(self._slice(name).get_dtype()) in _WHOLE

    def whole(self, name: str) -> NDArray[np.int64]:
        """Read a tensor of whole numbers.

        Raises:
            CorruptFileError: It holds something else.
        """
        if not self.is_whole(name):
            kind = self._slice(name).get_dtype()
            raise CorruptFileError(
                f"{self.path}: the tensor {name!r} is stored as {kind}; whole numbers are expected"
            )
        values: NDArray[np.int64] = self._handles[name].get_tensor(name).astype(np.int64)
        return values

    def _slice(self, name: str) -> Any:
        return self._handles[name].get_slice(name)


def _register_bfloat16() -> None:
    try:
        import ml_dtypes  # noqa: F401 - importing it teaches numpy the type
    except ImportError as error:
        raise UnsupportedModelError(
            "the weights are stored as bfloat16, which numpy reads with the package ml_dtypes: "
            'pip install "hotbed[cpu]"'
        ) from error
