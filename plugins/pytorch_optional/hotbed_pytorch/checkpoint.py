"""Tensors from safetensors, in one file or in shards."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hotbed.errors import CorruptFileError, MissingFileError

__all__ = ["read_tensors"]

_INDEX = ".index.json"


def read_tensors(path: Path) -> dict[str, Any]:
    """Read every tensor of a file, or of the shards that an index names.

    Raises:
        MissingFileError, CorruptFileError: A file is not there, or cannot be read.
    """
    from hotbed.models.weights import read_index

    if not path.name.endswith(_INDEX):
        return _read(path)
    index = read_index(path)
    held: dict[str, Any] = {}
    for shard in sorted(set(index.values())):
        held |= _read(path.with_name(shard))
    absent = sorted(set(index) - set(held))
    if absent:
        raise CorruptFileError(
            f"{path} names the tensor {absent[0]!r} and {len(absent) - 1} others that no shard "
            f"holds; download or save the model again"
        )
    return held


def _read(path: Path) -> dict[str, Any]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    if not path.is_file():
        raise MissingFileError(f"{path} is missing")
    try:
        tensors: dict[str, Any] = load_file(path)
    except (SafetensorError, OSError, ValueError) as error:
        raise CorruptFileError(
            f"{path} ({path.stat().st_size:,} bytes) cannot be read as safetensors: {error}; "
            f"it may have been cut off: download or save it again"
        ) from error
    return tensors
