"""Read a TOML file of settings: bounded, once, and with paths that are relative to it."""

from __future__ import annotations

import tomllib
from collections.abc import Collection
from pathlib import Path
from typing import Any

from attrs import frozen

from hotbed.errors import SettingsError

__all__ = ["SettingsFile", "find_project_file", "read_settings_file"]

_LONGEST = 1_000_000
"""Bytes. What is longer is no file of settings."""


@frozen(kw_only=True)
class SettingsFile:
    """A file of settings.

    Attributes:
        path: Where it lies.
        content: Its bytes, as they were read.
        values: What they say.
    """

    path: Path
    content: bytes
    values: dict[str, Any]

    def with_absolute(self, places: Collection[str]) -> dict[str, Any]:
        """The values; paths under the given keys are relative to the file, not to whoever runs."""
        return {
            key: self._absolute(value) if key in places and isinstance(value, str) else value
            for key, value in self.values.items()
        }

    def _absolute(self, value: str) -> str:
        if not value or "://" in value or value.startswith("~"):
            return value
        return str(self.path.parent / value)


def find_project_file(name: str, folder: Path | None = None) -> Path | None:
    """The nearest file of that name at or above a folder; the current one if None."""
    try:
        start = Path.cwd() if folder is None else folder
    except FileNotFoundError:  # somebody removed it
        return None
    for candidate in (start, *start.parents):
        path = candidate / name
        try:
            if path.is_file():
                return path.absolute()
        except OSError:  # a folder that this user may not look into holds no settings of theirs
            continue
    return None


def read_settings_file(path: Path) -> SettingsFile:
    """Read a file.

    Raises:
        SettingsError: It is no TOML, nests too deeply, is too long, or cannot be read.
    """
    try:
        with path.open("rb") as file:
            content = file.read(_LONGEST + 1)
        if len(content) > _LONGEST:
            raise ValueError(f"it is longer than {_LONGEST:,} bytes")
        values = tomllib.loads(content.decode("utf-8"))
    except RecursionError:
        raise SettingsError(f"{path} cannot be read: its values nest too deeply") from None
    except (ValueError, OSError) as error:
        raise SettingsError(f"{path} cannot be read: {error}") from error
    return SettingsFile(path=path, content=content, values=values)
