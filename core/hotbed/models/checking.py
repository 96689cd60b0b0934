"""Check the values of all JSON files of a folder, before any of them is used."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path, PurePath
from typing import Any

from hotbed.errors import CorruptFileError
from hotbed.models import layout
from hotbed.models.jsonfile import read_object
from hotbed.models.keys import (
    ARCHITECTURES,
    CONFIG_KEYS,
    MODULE_KEYS,
    SAVED,
    TOKENIZER_KEYS,
    TRANSFORMER,
)
from hotbed.models.modules import read_modules
from hotbed.models.schema import Schema, check
from hotbed.models.static import MODEL2VEC, is_model2vec, static_config

__all__ = ["check_values"]


def check_values(folder: Path, *, has_weights: bool) -> None:
    """Compare every value that is read with what it may be.

    Args:
        folder: The model folder.
        has_weights: Whether a graph may be built from it, so that the architecture's keys count.

    Raises:
        CorruptFileError: Values are of the wrong kind; all are named, with what is allowed.
        ModelError: A file cannot be read at all.
    """
    modules = read_modules(folder)
    first = modules[0] if modules else None
    mistakes: list[str] = []
    if first is None or first.kind == "Transformer":
        mistakes += _of_transformer(folder, first.path if first else "", first is not None)
        mistakes += _of_architecture(folder, first.path if first else "", has_weights)
    elif first.kind == "StaticEmbedding":
        config = read_object(folder / first.path / layout.CONFIG, required=False)
        family = static_config(config)["model_type"]
        mistakes += check(_named(first.path, layout.CONFIG), config, ARCHITECTURES[family])
    if modules:
        mistakes += _of_file(folder, "", layout.SENTENCE_CONFIG, SAVED)
    for module in modules[1:]:
        if module.kind in MODULE_KEYS:
            mistakes += _of_file(folder, module.path, layout.CONFIG, MODULE_KEYS[module.kind])
    refuse_values(folder, mistakes)


def refuse_values(folder: Path, mistakes: Iterable[str]) -> None:
    """Raise all mistakes as one error, if there are any."""
    if found := list(mistakes):
        raise CorruptFileError(
            f"{folder}: {len(found)} {'value' if len(found) == 1 else 'values'} of the wrong kind "
            f"in its JSON files:\n  " + "\n  ".join(found)
        )


def _of_transformer(folder: Path, path: str, is_module: bool) -> list[str]:
    mistakes = _of_file(folder, path, layout.TOKENIZER_CONFIG, TOKENIZER_KEYS)
    if is_module:
        for name in layout.TRANSFORMER_CONFIGS:
            mistakes += _of_file(folder, path, name, TRANSFORMER)
    return mistakes


def _of_architecture(folder: Path, path: str, has_weights: bool) -> list[str]:
    config = read_object(folder / path / layout.CONFIG, required=False)
    schema: Mapping[str, Any] = CONFIG_KEYS
    family = MODEL2VEC if is_model2vec(config) else config.get("model_type")
    if has_weights and isinstance(family, str):
        schema = {**ARCHITECTURES.get(family, {}), **CONFIG_KEYS}
    return check(_named(path, layout.CONFIG), config, schema)


def _of_file(folder: Path, path: str, name: str, schema: Schema) -> list[str]:
    return check(_named(path, name), read_object(folder / path / name, required=False), schema)


def _named(path: str, name: str) -> str:
    return PurePath(path, name).as_posix()
