"""``hotbed.json``: what hotbed wrote into a folder, from what, and how near it came."""

from __future__ import annotations

import contextlib
import datetime
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs
from attrs import field, frozen

from hotbed.backends.values import Variant
from hotbed.errors import CorruptFileError, ModelError
from hotbed.fidelity.report import Report
from hotbed.formats import known, require_version
from hotbed.models.integrity import file_digests
from hotbed.models.jsonfile import read_object
from hotbed.version import __version__

__all__ = ["RECORD", "Made", "add_record", "read_digests", "read_records"]

RECORD = "hotbed.json"
_FORMAT, _VERSION = "hotbed.folder", 1


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
    """Write a record into a folder, after those that it has, with the digests of its files.

    Call it last: what is written afterwards is not covered. What a later version wrote into older
    records is kept.
    """
    before = _read(folder).get("made", [])
    value = {
        "format": _FORMAT,
        "version": _VERSION,
        "files": file_digests(folder, without=[RECORD]),
        "made": [*before, attrs.asdict(made)],
    }
    text = json.dumps(value, indent=1, ensure_ascii=False) + "\n"
    (folder / RECORD).write_text(text, encoding="utf-8")


def read_records(folder: Path) -> Sequence[Made]:
    """The records of a folder, the oldest first; none where it has no ``hotbed.json``.

    Raises:
        CorruptFileError: The file is there and cannot be read.
    """
    with _readable(folder):
        return tuple(_made(one) for one in _read(folder).get("made", []))


def read_digests(folder: Path) -> dict[str, str]:
    """File → sha256 of what hotbed wrote into a folder; nothing where no record says so.

    Raises:
        CorruptFileError: The record is there and cannot be read.
    """
    with _readable(folder):
        return {str(name): str(digest) for name, digest in _read(folder).get("files", {}).items()}


@contextlib.contextmanager
def _readable(folder: Path) -> Iterator[None]:
    try:
        yield
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise _unreadable(folder / RECORD, error) from error


def _unreadable(path: Path, error: Exception) -> CorruptFileError:
    return CorruptFileError(
        f"{path} cannot be read ({type(error).__name__}: {error}); remove it to go on "
        f"without the history that it holds"
    )


def _read(folder: Path) -> dict[str, Any]:
    path = folder / RECORD
    if not os.path.lexists(path):
        return {}
    try:
        value: dict[str, Any] = read_object(path)
        require_version(value, _FORMAT, _VERSION)
        if not isinstance(value["made"], list):
            raise TypeError("`made` is no list")
    except (ModelError, ValueError, KeyError, TypeError) as error:
        raise _unreadable(path, error) from error
    return value


def _made(value: dict[str, Any]) -> Made:
    variants = tuple(Variant(**known(Variant, variant)) for variant in value["variants"])
    reports = tuple(Report.from_dict(report) for report in value["reports"])
    return Made(**{**known(Made, value), "variants": variants, "reports": reports})
