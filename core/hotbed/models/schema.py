"""What the values of a JSON file may be, as data; all mistakes of a file come together.

>>> check("config.json", {"pad_token_id": "x"}, {"pad_token_id": whole(0) | NULL})
["config.json: pad_token_id is 'x'; a whole number of at least 0 or null is allowed"]
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from attrs import frozen

__all__ = [
    "FLAG",
    "NULL",
    "TEXT",
    "Kind",
    "Schema",
    "check",
    "count",
    "list_of",
    "mapping_of",
    "number",
    "object_of",
    "one_of",
    "shown",
    "whole",
]

_SHOWN = 60


@frozen
class Kind:
    """What one value may be.

    Attributes:
        allowed: In words: ``a whole number of at least 1``.
        fits: Whether a value is of the kind.
        inner: For an object, what is wrong inside it; called with its name and the value.
    """

    allowed: str
    fits: Callable[[Any], bool]
    inner: Callable[[str, Any], list[str]] | None = None

    def __or__(self, other: Kind) -> Kind:
        """A value of either kind."""

        def fits(value: Any) -> bool:
            return self.fits(value) or other.fits(value)

        def inner(where: str, value: Any) -> list[str]:
            kind = self if self.fits(value) else other
            return kind.inner(where, value) if kind.inner else []

        return Kind(f"{self.allowed} or {other.allowed}", fits, inner)


Schema = Mapping[str, Kind]
"""Key → what its value may be. Keys that are not named are not looked at."""


def shown(value: Any) -> str:
    """A value as an error shows it: short, and without control characters."""
    if isinstance(value, str):
        text = repr(value[: _SHOWN + 1]) if value.isprintable() else ascii(value[: _SHOWN + 1])
    else:
        text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"


def check(where: str, values: Mapping[str, Any], schema: Schema) -> list[str]:
    """List the mistakes of an object: the file, the key, the value, and what is allowed."""
    found: list[str] = []
    for key, kind in schema.items():
        if key not in values:
            continue
        value = values[key]
        if not kind.fits(value):
            found.append(f"{where}: {key} is {shown(value)}; {kind.allowed} is allowed")
        elif kind.inner:
            found += kind.inner(f"{where}: {key}", value)
    return found


def whole(least: int, most: int | None = None) -> Kind:
    """A whole number between two bounds, both included."""
    bounds = f"of at least {least}" if most is None else f"from {least} to {most}"
    return Kind(
        f"a whole number {bounds}",
        lambda value: type(value) is int and least <= value and (most is None or value <= most),
    )


def count(most: float) -> Kind:
    """A number of things, at least 1; ``512.0`` counts as 512."""
    return Kind(
        f"a whole number from 1 to {most:g}",
        lambda value: (
            type(value) in (int, float) and 1 <= value <= most and (value > 1e15 or value % 1 == 0)
        ),
    )


def number(least: float, most: float, *, above: bool = False) -> Kind:
    """A finite number between two bounds; ``above`` leaves the lower one out."""
    start = f"above {least:g} and up" if above else f"from {least:g}"
    return Kind(
        f"a number {start} to {most:g}",
        lambda value: (
            type(value) in (int, float)
            and (least < value if above else least <= value)
            and value <= most
            and math.isfinite(value)
        ),
    )


def one_of(*names: Any) -> Kind:
    """One of some values."""
    return Kind(
        ", ".join(repr(name) for name in names),
        lambda value: any(type(value) is type(name) and value == name for name in names),
    )


def list_of(kind: Kind) -> Kind:
    """A list of values of one kind."""
    return Kind(
        f"a list of {kind.allowed}",
        lambda value: isinstance(value, list) and all(kind.fits(item) for item in value),
    )


def object_of(schema: Schema) -> Kind:
    """An object whose own keys are checked."""
    return Kind(
        "an object",
        lambda value: isinstance(value, dict),
        lambda where, value: check(where, value, schema),
    )


def mapping_of(kind: Kind) -> Kind:
    """An object whose keys are names, and whose values are all of one kind."""

    def inner(where: str, value: Any) -> list[str]:
        return check(where, value, dict.fromkeys(value, kind))

    return Kind("an object", lambda value: isinstance(value, dict), inner)


def _is_text(value: Any) -> bool:
    # A lone surrogate is no text: no tokenizer takes it.
    return isinstance(value, str) and not any("\ud800" <= sign <= "\udfff" for sign in value)


TEXT = Kind("text", _is_text)
FLAG = Kind("true or false", lambda value: type(value) is bool)
NULL = Kind("null", lambda value: value is None)
