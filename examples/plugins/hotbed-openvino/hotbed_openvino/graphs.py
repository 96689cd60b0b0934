"""Read a file as OpenVINO's model, and work out what it takes and gives."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hotbed.backends import Artifact, TokenBatch
from hotbed.errors import CorruptFileError, MissingFileError, UnsupportedModelError

__all__ = ["feeds", "graph_inputs", "graph_outputs", "read", "weight_types"]

_NAMES = {
    "sentence_embedding": "sentence_embedding",
    "token_embeddings": "token_embeddings",
    "last_hidden_state": "token_embeddings",
}
"""A graph's outputs → hotbed's names."""

_FED = ("input_ids", "attention_mask", "token_type_ids")
_INTEGERS = {"i8", "u8"}
_NARROW = {"f16", "bf16", "i4", "u4", "nf4", *_INTEGERS}


def read(core: Any, artifact: Artifact) -> Any:
    """Read the file, and see that its weights are stored as its name says.

    Raises:
        ModelError: It is missing, cut off, not for OpenVINO, or holds other weights.
    """
    path = artifact.path
    needed = [path, path.with_suffix(".bin")] if path.suffix == ".xml" else [path]
    for file in needed:
        if not file.is_file():
            raise MissingFileError(f"{file} is missing")
    try:
        model = core.read_model(path)
    except RuntimeError as error:  # OpenVINO has no finer ones
        said = str(error).strip().splitlines()
        kind = UnsupportedModelError if "OpConversionFailure" in str(error) else CorruptFileError
        raise kind(f"{path} cannot be read by OpenVINO: {said[-1]}") from error
    _check_storage(path, artifact.variant.storage, weight_types(model))
    return model


def weight_types(model: Any) -> set[str]:
    """OpenVINO's names of the types in which matrices are stored."""
    constants = (node for node in model.get_ops() if node.get_type_name() == "Constant")
    return {node.get_element_type().to_string() for node in constants if len(node.shape) > 1}


def _check_storage(path: Path, storage: str, found: set[str]) -> None:
    wrong = found & _NARROW if storage == "float32" else set()
    if wrong or (storage == "int8" and not found & _INTEGERS):
        raise UnsupportedModelError(
            f"{path} is named as {storage} and holds {', '.join(sorted(found))}; rename it, or "
            f"use another file: narrower arithmetic is used only where it is asked for"
        )


def graph_inputs(path: Path, model: Any) -> dict[str, Any]:
    """Inputs → numpy types.

    Raises:
        UnsupportedModelError: It wants something that a batch does not hold.
    """
    found = {port.any_name: port.get_element_type().to_dtype() for port in model.inputs}
    if unknown := sorted(set(found) - set(_FED)):
        wants = ", ".join(unknown)
        raise UnsupportedModelError(f"{path} takes {wants}; hotbed feeds {', '.join(_FED)}")
    return found


def graph_outputs(path: Path, model: Any) -> dict[str, Any]:
    """hotbed's names of outputs → the model's ports.

    Raises:
        UnsupportedModelError: None of them is an embedding, or its width is not in the file.
    """
    ports = [(name, port) for port in model.outputs for name in sorted(port.names)]
    found = {_NAMES[name]: port for name, port in ports if name in _NAMES}
    if not found or not all(port.partial_shape[-1].is_static for port in found.values()):
        gives = ", ".join(f"{name} {port.partial_shape}" for name, port in ports)
        wanted = ", ".join(_NAMES)
        raise UnsupportedModelError(f"{path} gives {gives}; one of {wanted} of known width is read")
    return found


def feeds(inputs: dict[str, Any], batch: TokenBatch) -> dict[str, NDArray[Any]]:
    """A batch as the graph takes it: one sentence a text, so its token types are 0."""
    zeros = np.zeros_like(batch.input_ids)
    held = {"input_ids": batch.input_ids, "attention_mask": batch.attention_mask}
    return {name: held.get(name, zeros).astype(t, copy=False) for name, t in inputs.items()}
