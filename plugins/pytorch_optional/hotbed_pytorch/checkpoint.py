"""Tensors from safetensors, in one file or in shards; and from the pickle of older folders."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hotbed.errors import CorruptFileError, MissingFileError
from hotbed.models import ModelFolder
from hotbed.models.layout import PICKLE

__all__ = ["read_tensors", "weights_of"]

_INDEX = ".index.json"


def weights_of(folder: ModelFolder) -> Path:
    """The file that a folder's transformer is read from.

    Raises:
        MissingFileError: There is none.
    """
    if folder.weight_files:
        return folder.path / folder.weight_files[0]
    if not (path := folder.root / PICKLE).is_file():
        raise MissingFileError(f"{folder.root} holds neither safetensors nor {PICKLE}")
    return path


def read_tensors(path: Path) -> dict[str, Any]:
    """Read every tensor of a file, or of the shards that an index names.

    A pickle is opened with ``weights_only=True``, which builds tensors and runs nothing.

    Raises:
        MissingFileError, CorruptFileError: A file is not there, or cannot be read.
    """
    from hotbed.models.weights import read_index

    if path.suffix == ".bin":
        return _unpickled(path)
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


def _unpickled(path: Path) -> dict[str, Any]:
    import pickle

    import torch

    try:
        held = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise MissingFileError(f"{path} is missing") from error
    except pickle.UnpicklingError as error:
        raise CorruptFileError(
            f"{path} ({path.stat().st_size:,} bytes) holds more than tensors, or was cut off; "
            f"nothing in it was run: {str(error).strip().splitlines()[0]}"
        ) from error
    except (OSError, RuntimeError, ValueError, EOFError, KeyError) as error:
        # torch raises what zipfile, its reader and the unpickler raise.
        raise CorruptFileError(
            f"{path} ({path.stat().st_size:,} bytes) cannot be read by torch.load: "
            f"{str(error).strip().partition(chr(10))[0]}; download or save it again"
        ) from error
    if not isinstance(held, dict):
        raise CorruptFileError(f"{path} is not the weights of a model: {type(held).__name__}")
    strange = [key for key, value in held.items() if not isinstance(value, torch.Tensor)]
    if strange or not held:
        named = f"its entry {strange[0]!r} is no tensor" if strange else "it is empty"
        raise CorruptFileError(f"{path} is not the weights of a model: {named}")
    return dict(held)
