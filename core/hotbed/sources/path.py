"""``path://``: a model folder on this machine."""

from __future__ import annotations

from pathlib import Path

from hotbed.errors import SettingsError, SourceError
from hotbed.models.folder import list_files
from hotbed.sources.located import Located, Reference
from hotbed.user_folders import expand

__all__ = ["locate"]


def locate(reference: Reference) -> Located:
    """Find a folder."""
    path = _expanded(reference.name)
    if not path.is_dir():
        what = "is a file, not a model folder" if path.exists() else "does not exist"
        raise SourceError(f"{path} {what}")
    return Located(path=path, name=path.resolve().name, origin=str(path), files=list_files(path))


def _expanded(name: str) -> Path:
    try:
        return expand(name)
    except SettingsError as error:
        raise SourceError(str(error)) from error
