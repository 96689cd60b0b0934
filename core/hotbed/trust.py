"""Project files that the user has trusted once: absolute path and sha256 of the content.

As direnv does: a file that changed is not trusted any longer. The list lies in the user's own
configuration folder; a list that somebody else could have written counts for nothing.
"""

from __future__ import annotations

import datetime
import hashlib
import json
import os
from pathlib import Path
from typing import Any

from hotbed.errors import SettingsError
from hotbed.ownership import is_ours
from hotbed.publishing import publish_file

__all__ = ["FILE", "is_trusted", "revoke", "trust", "trusted"]

FILE = "trusted.json"
_FORMAT, _VERSION = "hotbed.trust", 1


def is_trusted(record: Path, file: Path, content: bytes) -> bool:
    """Whether the user trusted this file with just this content."""
    entry = _entries(record).get(_name(file))
    return isinstance(entry, dict) and entry.get("sha256") == _digest(content)


def trust(record: Path, file: Path, content: bytes) -> None:
    """Trust a file as it is now."""
    date = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    entry = {"sha256": _digest(content), "date": date}
    _write(record, {**_entries(record), _name(file): entry})


def revoke(record: Path, file: Path) -> bool:
    """Take trust back; whether there was any."""
    entries = _entries(record)
    there = entries.pop(_name(file), None) is not None
    if there:
        _write(record, entries)
    return there


def trusted(record: Path) -> dict[str, str]:
    """Every trusted path → the sha256 of the content that was trusted."""
    return {path: str(dict(entry).get("sha256", "")) for path, entry in _entries(record).items()}


def _name(file: Path) -> str:
    return str(file.parent.resolve() / file.name)


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _entries(record: Path) -> dict[str, Any]:
    try:
        if not is_ours(record):
            return {}
        value = json.loads(record.read_text(encoding="utf-8"))
        if value["format"] != _FORMAT:
            raise ValueError(f"it is no list of trusted files: format {value['format']!r}")
        if value["version"] > _VERSION:
            raise ValueError(
                f"a newer hotbed wrote it (version {value['version']}; this one reads {_VERSION})"
            )
        return dict(value["files"])
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise SettingsError(
            f"{record} cannot be read ({type(error).__name__}: {error}); remove it, and trust "
            f"project files again with `hotbed trust`"
        ) from error


def _write(record: Path, entries: dict[str, Any]) -> None:
    value = {"format": _FORMAT, "version": _VERSION, "files": entries}
    with publish_file(record) as stage:
        descriptor = os.open(stage, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(value, file, indent=1, ensure_ascii=False)
