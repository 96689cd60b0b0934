"""The user's own folders; a container's user may have neither a home nor an entry of its own."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from hotbed.errors import SettingsError

__all__ = ["cache_folder", "config_folder", "data_folder", "expand", "require_creatable"]

_NAME = "hotbed"


def data_folder(*, required: bool = True) -> Path:
    """Where hotbed keeps what it writes, unless told otherwise.

    Raises:
        SettingsError: This user has no home.
    """
    from platformdirs import user_data_path

    found = _own(user_data_path)
    if found is None and required:
        raise SettingsError(
            "there is no place to keep files: HOME is not set, and this user has no entry in the "
            "list of users. Set HOTBED_HOME to a folder"
        )
    return found or Path()


def cache_folder() -> Path | None:
    """Where what can be made again is kept; None for a user without a home."""
    from platformdirs import user_cache_path

    return _own(user_cache_path)


def config_folder() -> Path | None:
    """Where the user's own settings lie; None for a user without a home."""
    from platformdirs import user_config_path

    return _own(user_config_path)


def _own(find: Callable[..., Path]) -> Path | None:
    try:
        path = find(_NAME, appauthor=False)
    except (RuntimeError, KeyError):  # newer platformdirs
        return None
    # Older ones leave "~" in front: a folder of that name in whatever directory is current.
    return path if path.is_absolute() else None


def expand(value: str | Path) -> Path:
    """A path with ``~`` replaced.

    Raises:
        SettingsError: There is no such user, or this one has no home.
    """
    expanded = os.path.expanduser(value)  # noqa: PTH111 - Path's own raises a bare RuntimeError
    if expanded.startswith("~"):
        raise SettingsError(f"{value}: nobody knows where {expanded.partition('/')[0]} is")
    return Path(expanded)


def require_creatable(folder: Path) -> None:
    """Create hotbed's own folder where it is not there yet.

    Raises:
        SettingsError: It cannot be created, so it was named wrongly.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        if not folder.is_dir():
            raise SettingsError(
                f"{folder} cannot be created: {error}. HOTBED_HOME (and HOTBED_CACHE) name where "
                f"files are kept; set it to a folder that can be written"
            ) from error
