"""The measurements of ``hotbed tune``: a file that is written by machine and read at selection.

It is read once in a process, at the first selection, and only if it is there. What was measured
on another machine stays in it, so that a home folder may be shared.
"""

from __future__ import annotations

import contextlib
import json
import math
from collections.abc import Callable, Collection, Iterable, Iterator
from pathlib import Path
from typing import Any

from attrs import asdict, evolve, fields, frozen

from hotbed.backends.decision import Measurement
from hotbed.errors import MissingFileError, ModelError, SettingsError
from hotbed.formats import known, require_version
from hotbed.measurements.machine import Machine
from hotbed.models.jsonfile import read_bytes
from hotbed.publishing import publish_file
from hotbed.version import __version__

__all__ = ["Key", "Record", "forget", "merge", "read_records", "remember", "score_of"]

_FORMAT, _VERSION = "hotbed.tuned", 1
_PATIENCE = 30.0
"""Seconds to wait for another process that writes the file, which takes it milliseconds."""

Key = tuple[Machine, str, str, str, str, str, str]


def score_of(bulk: float, query: float, purpose: str) -> float:
    """What ranks a measurement: texts a second, or short queries a second.

    Args:
        bulk: Texts a second of a long list.
        query: Seconds of one short text.
        purpose: ``bulk`` or ``queries``.
    """
    return 1 / query if purpose == "queries" else bulk


@frozen(kw_only=True)
class Record:
    """A measurement, and how it came about.

    Attributes:
        machine: Where.
        measurement: What selection reads.
        purpose: What its score is for: ``bulk`` or ``queries``.
        lowest_cosine: The lowest cosine to the reference vectors.
        texts: Texts in one pass.
        rounds: Passes that were counted.
        date: When, ISO 8601.
        hotbed: The version of hotbed that measured.
    """

    machine: Machine
    measurement: Measurement
    purpose: str
    lowest_cosine: float
    texts: int
    rounds: int
    date: str
    hotbed: str = __version__

    @property
    def key(self) -> Key:
        """What it is a measurement of; a later one of the same takes its place."""
        m = self.measurement
        return self.machine, m.shape, m.backend, m.dist, m.version, m.device, m.dtype


def merge(
    before: Iterable[Record], fresh: Collection[Record], dropped: Collection[Key] = ()
) -> tuple[Record, ...]:
    """Put fresh records beside the known ones, or in their place.

    Scores for bulk work and for queries cannot be compared. So the known records that will be
    ranked against fresh ones get the score for the fresh ones' purpose.

    Args:
        before: What was recorded before.
        fresh: What was measured now, all for one purpose.
        dropped: What must not be ranked any longer.
    """
    gone = {record.key for record in fresh} | set(dropped)
    purposes = {(record.machine, record.measurement.shape): record.purpose for record in fresh}
    kept = [
        _for_purpose(record, purposes.get((record.machine, record.measurement.shape)))
        for record in before
        if record.key not in gone
    ]
    return (*kept, *fresh)


def _for_purpose(record: Record, purpose: str | None) -> Record:
    if purpose in (None, record.purpose):
        return record
    old = record.measurement
    score = score_of(old.bulk, old.query, purpose)
    return evolve(record, purpose=purpose, measurement=evolve(old, score=score))


# --- the file --------------------------------------------------------------------------------


def remember(path: Path, fresh: Collection[Record], dropped: Collection[Key] = ()) -> None:
    """Merge records into the file, so that two who do it at once lose nothing.

    Raises:
        SettingsError: What the file holds cannot be read, or another process keeps it locked.
    """
    with _locked(path):
        before = read_records(path)
        merged = merge(before, fresh, dropped)
        if merged != before:
            _write(path, merged)


def forget(path: Path, shape: str | None = None) -> tuple[int, Path | None]:
    """Remove the measurements of models of one shape; of all, for None.

    Returns:
        How many went; and where a file that could not be read was put, for somebody to look at.
    """
    if not path.exists():
        return 0, None
    with _locked(path):
        try:
            before = read_records(path)
        except SettingsError:
            if shape is not None:
                raise
            aside = path.with_name(f"{path.name}.unreadable")
            path.replace(aside)
            return 0, aside
        kept = [r for r in before if shape is not None and r.measurement.shape != shape]
        if kept:
            _write(path, kept)
        else:
            path.unlink()
        return len(before) - len(kept), None


def read_records(path: Path) -> tuple[Record, ...]:
    """Read the file; nothing where there is none.

    Raises:
        SettingsError: It cannot be read, or holds something else.
    """
    try:
        text = read_bytes(path).decode("utf-8")
    except MissingFileError:
        return ()
    except (ModelError, UnicodeDecodeError) as error:
        raise _unusable(path, error) from error
    try:
        value = json.loads(text, parse_constant=_refuse)
        if value["format"] == 1:  # before formats had names
            value = {**value, "format": _FORMAT, "version": 1}
        require_version(value, _FORMAT, _VERSION)
        return tuple(
            _record(machine, item)
            for group in value["machines"]
            for machine in [_built(Machine, known(Machine, group["machine"]))]
            for item in group["measurements"]
        )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise _unusable(path, error) from error


def _unusable(path: Path, error: Exception) -> SettingsError:
    what = f"{error} is missing" if isinstance(error, KeyError) else str(error)
    return SettingsError(
        f"{path} does not hold measurements that `hotbed tune` wrote: {what}. "
        f"`hotbed tune --forget` puts it aside; HOTBED_TUNED names another file"
    )


def _refuse(constant: str) -> float:
    raise ValueError(f"{constant} is not a measurement")


def _record(machine: Machine, item: dict[str, Any]) -> Record:
    own = {name: item[name] for name in _names(Measurement) if name in item}
    rest = {name: value for name, value in item.items() if name not in own}
    measurement = _built(Measurement, own)
    for name in ("token_budget", "bulk", "query", "score"):
        if not getattr(measurement, name) > 0:
            raise ValueError(f"{name} is {getattr(measurement, name)}, not a positive number")
    # Keys that a later version wrote are passed over.
    whole = {"machine": machine, "measurement": measurement, **rest}
    return _built(Record, known(Record, whole))


_KINDS: dict[str, Callable[[Any], bool]] = {
    "str": lambda value: isinstance(value, str),
    "int": lambda value: type(value) is int,
    "float": lambda value: type(value) in (int, float) and math.isfinite(value),
    "tuple[str, ...]": lambda value: all(isinstance(item, str) for item in value),
}
"""Annotation → whether a value read from JSON is such; what is not here was built already."""


def _built(kind: type[Any], values: dict[str, Any]) -> Any:
    if absent := set(_names(kind)).difference(values):
        raise ValueError(f"{', '.join(sorted(absent))} is missing")
    for field in fields(kind):
        right = _KINDS.get(str(field.type))
        if right and not right(values[field.name]):
            raise TypeError(f"{field.name} is {values[field.name]!r}, not {field.type}")
    return kind(**values)


def _names(kind: type[Any]) -> list[str]:
    return [field.name for field in fields(kind)]


def _write(path: Path, records: Iterable[Record]) -> None:
    groups: dict[Machine, list[dict[str, Any]]] = {}
    for record in records:
        values = asdict(record, recurse=False)
        machine, measurement = values.pop("machine"), values.pop("measurement")
        groups.setdefault(machine, []).append({**asdict(measurement), **values})
    value = {
        "format": _FORMAT,
        "version": _VERSION,
        "about": "Written by `hotbed tune`, which also removes it: `hotbed tune --forget`.",
        "machines": [
            {"machine": asdict(machine), "measurements": items} for machine, items in groups.items()
        ],
    }
    text = json.dumps(value, indent=2, ensure_ascii=False) + "\n"
    with publish_file(path) as stage:
        stage.write_text(text, encoding="utf-8", newline="\n")


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    from filelock import FileLock, Timeout

    path.parent.mkdir(parents=True, exist_ok=True)
    lock = path.with_name(f"{path.name}.lock")
    try:
        with FileLock(lock, timeout=_PATIENCE):
            yield
    except Timeout:
        raise SettingsError(
            f"{path} was not written: another process has held {lock} for {_PATIENCE:.0f} s. "
            f"If no `hotbed tune` is running, remove that file"
        ) from None
