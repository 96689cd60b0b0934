"""What may be kept: whatever a user gives becomes a plain value that is read back as it was hashed.

A value is converted here, where nothing is lost by it, or refused. The limits hold for every
database and for archives alike.
"""

from __future__ import annotations

import contextlib
import datetime
import decimal
import enum
import math
import numbers
import os
import uuid
from collections.abc import Mapping
from typing import Any

from hotbed.errors import UsageError
from hotbed.registry.names import require_label

__all__ = [
    "LONGEST",
    "LONGEST_FAMILY",
    "LONGEST_INTEGER",
    "keep_metrics",
    "keep_number",
    "keep_tags",
    "keep_text",
    "require_fits",
]

LONGEST = 1 << 20
"""Bytes of a text, in UTF-8: a long model card fits, a file does not."""

LONGEST_FAMILY = 64
LONGEST_INTEGER = (1 << 31) - 1
"""Of a dimension or a length: PostgreSQL's integer."""

_MOST_LABELS = 1000
"""Tags, or metrics, of a version."""

_DIGITS = 400


def keep_text(what: str, value: object, longest: int = LONGEST) -> str:
    """A text as it will be read back; numbers, dates, paths and members of enums become one.

    Raises:
        UsageError: It is no text, or one that some database would not give back.
    """
    text = _text(what, value)
    if "\0" in text:
        raise UsageError(f"{what} holds a NUL character, which no database keeps: {text!r:.80}")
    try:
        size = len(text.encode())
    except UnicodeEncodeError as error:
        raise UsageError(
            f"{what} holds half a character at {error.start} ({text[error.start]!r}), which is no "
            f"text; decode it with errors='replace'"
        ) from error
    if size > longest:
        raise UsageError(f"{what} has {size:,} bytes, and {longest:,} are allowed")
    return text


def keep_number(what: str, value: object) -> float:
    """A finite number, whatever library it comes from.

    Raises:
        UsageError: It is none.
    """
    plain = value.item() if getattr(value, "shape", None) == () else value  # type: ignore[attr-defined]
    if isinstance(plain, numbers.Real | decimal.Decimal):
        try:
            number = float(plain) + 0.0  # no database keeps the sign of a zero
        except (OverflowError, ValueError):
            number = math.inf
        if math.isfinite(number):
            return number
    raise UsageError(f"{what} is not a finite number: {_shown(value)}")


def keep_tags(values: object) -> dict[str, str | None]:
    """Tags: name → text, or None, which removes one.

    Raises:
        UsageError: A name or a value cannot be kept.
    """
    return {
        name: None if value is None else keep_text(f"the tag {name}", value)
        for name, value in _labels("tags", values).items()
    }


def keep_metrics(values: object) -> dict[str, float | None]:
    """Metrics: name → number, or None, which removes one.

    Raises:
        UsageError: A name or a value cannot be kept.
    """
    return {
        name: None if value is None else keep_number(f"the metric {name}", value)
        for name, value in _labels("metrics", values).items()
    }


def _labels(what: str, values: object) -> dict[str, object]:
    if not isinstance(values, Mapping):
        raise UsageError(f"{what} are a mapping from names to values, not {_shown(values)}")
    if len(values) > _MOST_LABELS:
        raise UsageError(f"{len(values):,} {what} were given, and {_MOST_LABELS:,} are allowed")
    kept: dict[str, object] = {}
    for given, value in values.items():
        if not isinstance(given, str):
            raise UsageError(f"{what} have names that are texts, and {_shown(given)} is none")
        name = keep_text(f"a name of {what}", given)
        require_label(name)
        if name in kept:
            raise UsageError(f"{what} name {name!r} twice")
        kept[name] = value
    return kept


def _text(what: str, value: object) -> str:
    if isinstance(value, enum.Enum):
        return _text(what, value.value)
    if isinstance(value, str):
        return str.__str__(value) if type(value) is str else "".join(value)
    if isinstance(value, datetime.date | datetime.time):
        return value.isoformat()
    if isinstance(value, os.PathLike):
        return _text(what, os.fspath(value))
    if isinstance(value, numbers.Number | decimal.Decimal | uuid.UUID):
        with contextlib.suppress(ValueError):  # an integer of more digits than Python writes
            if len(text := str(value)) <= _DIGITS:
                return text
    raise UsageError(f"{what} is a text, not {_shown(value)}")


def _shown(value: object) -> str:
    """A value for messages; some cannot be shown at all."""
    try:
        return f"{value!r:.100}"
    except Exception:  # whatever a stranger's class does
        return f"a {type(value).__name__} that cannot be shown"


def require_fits(manifest: Any) -> None:
    """Refuse a manifest that some database could not hold in its columns.

    Raises:
        UsageError: So it is; all problems come together.
    """
    problems = []
    for name in ("base_model", "training_data", "created_by"):
        keep_text(name, getattr(manifest, name))
    if len(keep_text("config.json's model_type", manifest.family)) > LONGEST_FAMILY:
        problems.append(f"the model's family has more than {LONGEST_FAMILY} characters")
    for name in ("dimension", "max_length"):
        value = getattr(manifest, name)
        if value is not None and not 0 < value <= LONGEST_INTEGER:
            problems.append(f"its {name} is {_shown(value)}")
    if any(not isinstance(variant.get("format"), str) for variant in manifest.variants):
        problems.append("a variant names no format")
    if not manifest.files:
        problems.append("it has no files")
    if manifest.size >= 1 << 63:
        problems.append("its files are larger than any disk")
    if problems:
        raise UsageError(f"{manifest.name} cannot be registered: {'; '.join(problems)}")
