"""Read the part of ``config.json`` that shapes a graph, and refuse what would be left out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from hotbed.errors import CorruptFileError, UnsupportedModelError
from hotbed_onnx.profiles.activations import ACTIVATIONS

__all__ = [
    "FULL",
    "SLIDING",
    "Config",
    "head_size",
    "read_activation",
    "read_layer_types",
    "read_number",
    "read_object",
    "read_sizes",
    "refuse",
]

Config = Mapping[str, Any]

FULL, SLIDING = "full_attention", "sliding_attention"
"""Kinds of layers: those that see the whole text, and those that see a window."""


def read_sizes(config: Config, *keys: str) -> list[int]:
    """Read whole numbers, in the order asked for.

    Raises:
        CorruptFileError: Some are missing, or are no sizes.
    """
    missing = [key for key in keys if type(config.get(key)) is not int]
    if missing:
        raise CorruptFileError(f"config.json lacks {', '.join(missing)} (whole numbers)")
    negative = [f"{key} {config[key]}" for key in keys if config[key] < 0]
    if negative:
        raise CorruptFileError(f"config.json: {', '.join(negative)} is no size")
    return [config[key] for key in keys]


def read_number(config: Config, key: str, default: float) -> float:
    """Read a number; the default where the key is absent or null.

    Raises:
        CorruptFileError: It is something else.
    """
    value = config.get(key)
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise CorruptFileError(f"config.json: {key} is {value!r}, which is no number")
    return float(value)


def head_size(hidden: int, heads: int, key: str = "num_attention_heads") -> int:
    """Units of each attention head.

    Raises:
        CorruptFileError: The heads do not share the units evenly.
    """
    if heads < 1 or hidden % heads:
        raise CorruptFileError(
            f"config.json: hidden_size {hidden} is not a multiple of {key} {heads}"
        )
    return hidden // heads


def read_activation(config: Config, key: str, default: str) -> str:
    """Read the name of an activation.

    Raises:
        UnsupportedModelError: The builder has no such activation.
    """
    name = config.get(key) or default
    if name not in ACTIVATIONS:
        raise UnsupportedModelError(
            f"{key} is {name!r}; the builder knows {', '.join(ACTIVATIONS)}"
        )
    return str(name)


def read_object(config: Config, key: str) -> Config:
    """Read an object inside ``config.json``; an empty one where it is absent or null.

    Raises:
        CorruptFileError: It is something else.
    """
    value = config.get(key)
    if value is not None and not isinstance(value, dict):
        raise CorruptFileError(f"config.json: {key} is {value!r}, which is no object")
    return value or {}


def read_layer_types(config: Config, layers: int, usual: Callable[[int], bool]) -> list[str]:
    """Read each layer's kind: ``FULL`` or ``SLIDING``.

    Args:
        config: ``config.json``.
        layers: How many layers there are.
        usual: Whether a layer sees the whole text, where ``layer_types`` is not stated.

    Raises:
        CorruptFileError: There are more kinds than layers, or fewer.
        UnsupportedModelError: There is a kind that the builder does not know.
    """
    kinds = config.get("layer_types")
    if kinds is None:
        return [FULL if usual(layer) else SLIDING for layer in range(layers)]
    if not isinstance(kinds, list) or len(kinds) != layers:
        raise CorruptFileError(
            f"config.json: layer_types is {kinds!r}, which is not one for each of {layers} layers"
        )
    others = sorted({str(kind) for kind in kinds} - {FULL, SLIDING})
    if others:
        raise UnsupportedModelError(
            f"layer_types names {', '.join(others)}; the builder knows {FULL} and {SLIDING}"
        )
    return kinds


def refuse(config: Config, family: str, followed: Mapping[str, tuple[Any, ...]]) -> None:
    """Refuse switches that would change the vectors and that the builder does not follow.

    Args:
        config: ``config.json``.
        family: What to call the family.
        followed: Switch → the values that the builder follows, the first of them by default.

    Raises:
        UnsupportedModelError: A switch has another value; all such are named.
    """
    others = [key for key, values in followed.items() if config.get(key, values[0]) not in values]
    if not others:
        return
    said = ", ".join(
        f"{key} is set" if config[key] is True else f"{key} is {config[key]!r}" for key in others
    )
    knows = ", ".join(f"{key} {followed[key][0]!r}" for key in others)
    raise UnsupportedModelError(
        f"{said}; the {family} builder knows {knows}, and the vectors would be others"
    )
