"""``hotbed.json``: what hotbed wrote into a folder, from what, and how near it came."""

from __future__ import annotations

import datetime
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs
from attrs import field, frozen

from hotbed.backends.values import Variant
from hotbed.errors import CorruptFileError
from hotbed.fidelity.report import Report
from hotbed.version import __version__

__all__ = ["RECORD", "Made", "add_record", "read_records"]

RECORD = "hotbed.json"
_VERSION = 1


@frozen(kw_only=True)
class Made:
    """One conversion or quantisation.

    Attributes:
        action: ``convert`` or ``quantize``.
        model: What it was made from, as named then.
        by: Distribution, backend and the version of what it writes.
        recipe: The target of a conversion, or the recipe of a quantisation.
        sources: File → sha256 of everything that was read.
        variants: What was written, relative to the folder that holds the record.
        reports: How near each variant came, in the variants' order.
        hotbed: hotbed's version.
        date: When, in UTC.
    """

    action: str
    model: str
    by: str
    recipe: Mapping[str, Any]
    sources: Mapping[str, str]
    variants: tuple[Variant, ...]
    reports: tuple[Report, ...]
    hotbed: str = __version__
    date: str = field(
        factory=lambda: datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    )


def add_record(folder: Path, made: Made) -> None:
    """Write a record into a folder, after those that it has."""
    value = {
        "version": _VERSION,
        "made": [attrs.asdict(one) for one in (*read_records(folder), made)],
    }
    text = json.dumps(value, indent=1, ensure_ascii=False) + "\n"
    (folder / RECORD).write_text(text, encoding="utf-8")


def read_records(folder: Path) -> Sequence[Made]:
    """The records of a folder, the oldest first; none where it has no ``hotbed.json``.

    Raises:
        CorruptFileError: The file is there and cannot be read.
    """
    path = folder / RECORD
    if not path.exists():
        return ()
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
        if value["version"] != _VERSION:
            raise ValueError(f"version {value['version']}; this hotbed reads {_VERSION}")
        return tuple(_made(one) for one in value["made"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CorruptFileError(
            f"{path} cannot be read ({type(error).__name__}: {error}); remove it to go on "
            f"without the history that it holds"
        ) from error


def _made(value: dict[str, Any]) -> Made:
    variants = tuple(Variant(**variant) for variant in value["variants"])
    reports = tuple(Report.from_dict(report) for report in value["reports"])
    return Made(**{**value, "variants": variants, "reports": reports})
