"""One settings object; the nearer wins: call > ``HOTBED_*`` > project file > user file > default.

The project file is the nearest ``hotbed.toml`` at or above the current folder; the user file is
``config.toml`` in the user's configuration folder. Both hold the same keys as ``Settings``.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from attrs import field, frozen
from attrs.converters import optional

from hotbed.errors import SettingsError

__all__ = ["PROJECT_FILE", "Settings", "load_settings", "user_file"]

PROJECT_FILE = "hotbed.toml"
_PREFIX = "HOTBED_"
_LISTS = ("backends", "blocked", "priority", "devices")
_PATHS = frozenset({"home", "tuned"})
# Variables that other parts of the project read; they are not settings.
_NOT_SETTINGS = frozenset({"HOTBED_KEY_PASSWORD", "HOTBED_REQUIRE"})


def _default_home() -> Path:
    from platformdirs import user_data_path

    return user_data_path("hotbed", appauthor=False)


def _default_tuned() -> Path:
    return user_file().with_name("tuned.json")


def _tuple(value: Any) -> tuple[str, ...]:
    return tuple(value)


def _path(value: str | Path) -> Path:
    return Path(value).expanduser()


@frozen(kw_only=True)
class Settings:
    """Everything that can be set outside a call.

    Attributes:
        home: Where converted graphs and unpacked sources are kept (``HOTBED_HOME``).
        backends: The only backends that may be used (``HOTBED_BACKENDS``, commas between). None
            allows all that are installed, an empty list hotbed's own.
        blocked: Plugins that may not be used.
        priority: Backends to prefer, best first.
        devices: Where ``device="auto"`` looks, in order.
        registry: The registry: a folder, or a ``postgresql://`` URL (``HOTBED_REGISTRY``). None
            means ``registry`` under ``home``.
        registry_blobs: Where a registry in a database keeps files (``HOTBED_REGISTRY_BLOBS``).
        registry_timeout_s: Seconds that one wait for a registry's database takes at most
            (``HOTBED_REGISTRY_TIMEOUT_S``).
        paranoid: Whether every byte of a registered version is read again at each loading, whatever
            is remembered of its files (``HOTBED_PARANOID=1``).
        memory: Bytes of models that deployments keep loaded (``HOTBED_MEMORY``, also as ``2GB``).
            None means half of what this process may use.
        tuned: The file with what ``hotbed tune`` measured (``HOTBED_TUNED``); it need not be there.
        trace: Whether each hook call is printed on standard error (``HOTBED_TRACE=1``).
    """

    home: Path = field(factory=_default_home, converter=_path)
    backends: tuple[str, ...] | None = field(default=None, converter=optional(_tuple))
    blocked: tuple[str, ...] = field(default=(), converter=_tuple)
    priority: tuple[str, ...] = field(default=(), converter=_tuple)
    devices: tuple[str, ...] = field(default=("cuda", "cpu"), converter=_tuple)
    registry: str | None = None
    registry_blobs: str | None = None
    registry_timeout_s: float = 30.0
    paranoid: bool = False
    memory: int | None = None
    tuned: Path = field(factory=_default_tuned, converter=_path)
    trace: bool = False


def user_file() -> Path:
    """Where the user's own settings lie."""
    from platformdirs import user_config_path

    return user_config_path("hotbed", appauthor=False) / "config.toml"


def load_settings(environ: Mapping[str, str] | None = None, folder: Path | None = None) -> Settings:
    """Read the settings that hold here.

    Args:
        environ: Variables; ``os.environ`` if None.
        folder: Where the search for the project file starts; the current folder if None.

    Raises:
        SettingsError: Some of it cannot be used; all mistakes come together.
    """
    environ = os.environ if environ is None else environ
    files = [path for path in (user_file(), _project_file(folder or Path.cwd())) if path]
    layers = [(str(path), _read(path)) for path in files if path.is_file()]
    layers.append(("the environment", _from_environ(environ)))
    merged: dict[str, Any] = {}
    origin: dict[str, str] = {}
    for where, values in layers:
        merged.update(values)
        origin.update(dict.fromkeys(values, where))
    if set(merged) <= _PATHS and all(isinstance(value, str) for value in merged.values()):
        return Settings(**merged)  # nothing that could be wrong, so pydantic stays unimported
    return _validate(merged, origin)


def _project_file(folder: Path) -> Path | None:
    for candidate in (folder, *folder.parents):
        if (candidate / PROJECT_FILE).is_file():
            return candidate / PROJECT_FILE
    return None


def _read(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            return tomllib.load(file)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise SettingsError(f"{path} cannot be read: {error}") from error


def _from_environ(environ: Mapping[str, str]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for name, text in environ.items():
        if not name.startswith(_PREFIX) or name in _NOT_SETTINGS:
            continue
        key = name.removeprefix(_PREFIX).lower()
        if key in _LISTS:
            values[key] = [part.strip() for part in text.split(",") if part.strip()]
        elif text:  # an empty variable is one that was not set; an empty list is a list
            values[key] = text
    return values


def _validate(values: dict[str, Any], origin: dict[str, str]) -> Settings:
    from pydantic import BaseModel, ByteSize, ConfigDict, Field, ValidationError

    class File(BaseModel):
        model_config = ConfigDict(extra="forbid", strict=False)

        home: Path | None = None
        backends: list[str] | None = None
        blocked: list[str] = []
        priority: list[str] = []
        devices: list[str] = ["cuda", "cpu"]
        registry: str | None = None
        registry_blobs: str | None = None
        registry_timeout_s: float = Field(default=30.0, gt=0, allow_inf_nan=False)
        paranoid: bool = False
        memory: ByteSize | None = None
        tuned: Path | None = None
        trace: bool = False

    try:
        checked = File.model_validate(values)
    except ValidationError as error:
        known = ", ".join(File.model_fields)
        lines = [
            f"{item['loc'][0]!r} in {origin.get(str(item['loc'][0]), '?')}: {item['msg']}"
            for item in error.errors()
        ]
        raise SettingsError(
            "the settings cannot be used:\n  " + "\n  ".join(lines) + f"\nknown keys: {known}"
        ) from None
    given: dict[str, Any] = checked.model_dump(exclude_unset=True)
    return Settings(**given)
