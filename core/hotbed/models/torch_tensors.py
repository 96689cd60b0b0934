"""Tensors from a file that ``torch.save`` wrote, without PyTorch and without running its pickle.

Such a file is a zip archive of ``data.pkl``, which says which tensors there are, and of their raw
numbers, uncompressed, one entry a storage. Entries are read in memory by the names that torch gives
them; nothing is unpacked.
"""

from __future__ import annotations

import struct
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from attrs import frozen
from numpy.typing import NDArray

from hotbed.errors import CorruptFileError, MissingFileError, UnsupportedModelError
from hotbed.models.damage import lfs_advice, looks_like_pointer
from hotbed.models.tensor_pickle import TensorRef, read_tensor_pickle

__all__ = ["TorchTensors"]

_PICKLE = "/data.pkl"
_LONGEST_PICKLE = 2**20
"""Bytes. That of a linear layer has 300."""

_DTYPES = {"FloatStorage": "<f4", "HalfStorage": "<f2", "BFloat16Storage": "<u2"}
_OLD_FORMAT = b"\x80\x02\x8a\x0a"  # the magic number of torch.save before 1.6, pickled

Floats = NDArray[np.float32]


@frozen(kw_only=True)
class TorchTensors:
    """The tensors of a file; numbers are read when they are asked for.

    Attributes:
        path: The file.
        tensors: Name → where its numbers lie.
    """

    path: Path
    tensors: dict[str, TensorRef]
    _entries: dict[str, str]

    @classmethod
    def open(cls, path: Path) -> TorchTensors:
        """Read what tensors there are.

        Raises:
            MissingFileError: There is no such file.
            UnsupportedModelError: It holds more than plain float tensors.
            CorruptFileError: It is cut off, or not what torch writes.
        """
        if not path.is_file():
            raise MissingFileError(f"{path} is missing; download or save the model again")
        if looks_like_pointer(path):
            raise CorruptFileError(lfs_advice(path))
        with _archive(path) as archive:
            prefix = _check_entries(archive, path)
            pickled = _read(archive, path, f"{prefix}{_PICKLE}", limit=_LONGEST_PICKLE)
            order = f"{prefix}/byteorder"
            if order in archive.namelist() and _read(archive, path, order, limit=16) != b"little":
                raise UnsupportedModelError(f"{path} was written by a big-endian machine")
        tensors = read_tensor_pickle(pickled, path)
        entries = {ref.storage.key: f"{prefix}/data/{ref.storage.key}" for ref in tensors.values()}
        return cls(path=path, tensors=tensors, entries=entries)

    def float32(self, name: str) -> Floats:
        """Read one tensor as float32; float16 and bfloat16 widen without loss.

        Raises:
            CorruptFileError: It does not lie inside its storage, or holds NaN or infinity.
        """
        ref = self.tensors[name]
        last = ref.offset + sum(
            (n - 1) * step for n, step in zip(ref.size, ref.stride, strict=True)
        )
        count = 1
        for n in ref.size:
            count *= n
        # A view may leave numbers out, and may not repeat any: else a small file could be endless.
        if max((count, *ref.size)) > ref.storage.count or (count and last >= ref.storage.count):
            raise CorruptFileError(
                f"{self.path}: the tensor {name!r:.80} does not lie inside its storage of "
                f"{ref.storage.count} numbers"
            )
        if not count:
            return np.zeros(ref.size, np.float32)
        values = self._view(ref)
        if not np.isfinite(values).all():
            raise CorruptFileError(
                f"{self.path}: the tensor {name!r:.80} holds NaN or infinity; save the model again "
                f"from a sound checkpoint"
            )
        return values

    def _view(self, ref: TensorRef) -> Floats:
        storage = ref.storage
        dtype = np.dtype(_DTYPES[storage.kind])
        entry = self._entries[storage.key]
        with _archive(self.path) as archive:
            raw = _read(archive, self.path, entry, limit=storage.count * dtype.itemsize)
        if len(raw) != storage.count * dtype.itemsize:
            raise CorruptFileError(
                f"{self.path}: {entry} holds {len(raw):,} bytes, and its pickle says "
                f"{storage.count * dtype.itemsize:,}"
            )
        numbers = np.frombuffer(raw, dtype)[ref.offset :]
        strides = tuple(step * dtype.itemsize for step in ref.stride)
        view = np.lib.stride_tricks.as_strided(numbers, ref.size, strides, writeable=False)
        if storage.kind == "BFloat16Storage":  # the upper half of a float32
            return (view.astype(np.uint32) << np.uint32(16)).view(np.float32)
        return view.astype(np.float32)


@contextmanager
def _archive(path: Path) -> Iterator[zipfile.ZipFile]:
    """Open a zip archive; whatever zipfile raises on the way is an error of the file."""
    with path.open("rb") as file:
        start = file.read(len(_OLD_FORMAT))
    if start == _OLD_FORMAT:
        raise UnsupportedModelError(
            f"{path} is in the format of torch.save before 1.6; where you trust it, "
            f"torch.save(torch.load(file, weights_only=True), file) writes today's"
        )
    try:
        with zipfile.ZipFile(path) as archive:
            yield archive
    except (zipfile.BadZipFile, struct.error, OSError, EOFError, RuntimeError, ValueError) as error:
        raise CorruptFileError(
            f"{path} ({path.stat().st_size:,} bytes) cannot be read as a file of torch.save: "
            f"{error!s:.200}; download or save it again"
        ) from error


def _check_entries(archive: zipfile.ZipFile, path: Path) -> str:
    """The folder inside the archive that holds everything."""
    infos = archive.infolist()
    pickles = [info.filename for info in infos if info.filename.endswith(_PICKLE)]
    if len(pickles) != 1 or len({info.filename for info in infos}) != len(infos):
        raise CorruptFileError(
            f"{path} holds {len(pickles)} entries {_PICKLE[1:]} among {len(infos)}; torch.save "
            f"writes one, and no name twice"
        )
    if sum(info.file_size for info in infos) > path.stat().st_size:
        raise CorruptFileError(
            f"{path}: its entries are larger than the file; torch.save compresses nothing"
        )
    return pickles[0].removesuffix(_PICKLE)


def _read(archive: zipfile.ZipFile, path: Path, name: str, *, limit: int) -> bytes:
    try:
        info = archive.getinfo(name)
    except KeyError:
        raise CorruptFileError(
            f"{path} holds no entry {name!r:.120}, which its pickle names"
        ) from None
    if info.compress_type != zipfile.ZIP_STORED or info.file_size > limit:
        raise CorruptFileError(
            f"{path}: {name!r:.120} is compressed, or larger than the {limit:,} bytes expected "
            f"({info.file_size:,})"
        )
    return archive.read(info)
