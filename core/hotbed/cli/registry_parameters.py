"""Arguments that the commands of ``hotbed registry`` share."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Annotated, Any

import attrs
import typer

from hotbed.errors import UsageError
from hotbed.registry import Registered, Registry

__all__ = [
    "NameArgument",
    "ReferenceArgument",
    "RegistryOption",
    "WhyOption",
    "facts",
    "numbers",
    "opened",
    "pairs",
]

NameArgument = Annotated[str, typer.Argument(help="The model's name.")]
ReferenceArgument = Annotated[
    str, typer.Argument(help="model@1.2.0, model@^1.2, model@production; model alone: the latest.")
]
RegistryOption = Annotated[
    str | None,
    typer.Option(help="A folder, or a postgresql:// URL.", show_default="HOTBED_REGISTRY"),
]
WhyOption = Annotated[str, typer.Option("--why", help="The reason, for the audit trail.")]


def opened(registry: str | None, *, create: bool = False) -> Registry:
    """Open the registry that is meant."""
    return Registry(registry, create=create)


def facts(one: Registered) -> dict[str, Any]:
    """A version as plain values."""
    return {key: value for key, value in attrs.asdict(one).items() if key not in ("id", "key")}


def pairs(given: Iterable[str] | None, *, bare: bool = False) -> dict[str, str | None]:
    """``name=value`` → both.

    Raises:
        UsageError: The ``=`` is missing, and has to be there.
    """
    found: dict[str, str | None] = {}
    for text in given or ():
        name, separator, value = text.partition("=")
        if not separator and not bare:
            raise UsageError(f"{text!r}: write name=value")
        found[name] = value
    return found


def numbers(given: Iterable[str] | None) -> dict[str, float]:
    """``name=number`` → both.

    Raises:
        UsageError: It is no number.
    """
    found = {}
    for name, value in pairs(given).items():
        try:
            number = float(value or "")
        except ValueError as error:
            raise UsageError(f"{name}={value}: {value!r} is not a number") from error
        if not math.isfinite(number):
            raise UsageError(f"{name}={value}: {value!r} is not a finite number")
        found[name] = number
    return found
