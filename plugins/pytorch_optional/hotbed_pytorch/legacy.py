"""Write the pickled weights of an older folder as safetensors, the transformer's and the heads'."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hotbed.backends import ConvertTarget, Variant
from hotbed.errors import CorruptFileError
from hotbed.models import read_folder
from hotbed.models.layout import PICKLE
from hotbed_pytorch.checkpoint import read_tensors

__all__ = ["write_safetensors"]

_NAME = "model.safetensors"


def write_safetensors(folder: Path, target: ConvertTarget, out: Path) -> tuple[Variant, ...]:
    """Write ``out/model.safetensors``, and one for each head that has only a pickle.

    Numbers stay in the type in which they were stored.

    Raises:
        MissingFileError, CorruptFileError: A pickle is not there, or holds more than tensors.
    """
    from hotbed.models.weights import stored_dtype

    model = read_folder(folder)
    _copy(model.root / PICKLE, out / _NAME)
    for head in model.pipeline.head_paths:
        if (pickle := folder / head / PICKLE).is_file():
            _copy(pickle, out / head / _NAME)
    return (Variant(format="safetensors", file=_NAME, storage=stored_dtype(out / _NAME)),)


def _copy(pickle: Path, path: Path) -> None:
    from safetensors.torch import save_file

    tensors = read_tensors(pickle)
    _refuse_not_finite(pickle, tensors)
    path.parent.mkdir(parents=True, exist_ok=True)
    # A copy of each: safetensors refuses tensors that share memory, as tied weights do.
    copies = {name: value.detach().clone().contiguous() for name, value in tensors.items()}
    save_file(copies, path, metadata={"format": "pt"})


def _refuse_not_finite(pickle: Path, tensors: dict[str, Any]) -> None:
    import torch

    for name, value in tensors.items():
        if value.is_floating_point() and not torch.isfinite(value).all():
            raise CorruptFileError(f"{pickle}: the tensor {name!r} holds NaN or infinity")
