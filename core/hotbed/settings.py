"""One settings object; the nearer wins: call > ``HOTBED_*`` > project file > user file > default.

The project file is the nearest ``hotbed.toml`` at or above the current folder; the user file is
``config.toml`` in the user's configuration folder. Both hold the same keys as ``Settings``; paths
in a file are relative to that file. A project file may be a stranger's: until the user has trusted
it (``hotbed trust``), it may set behavior alone, never a place, a host or what may run.
"""

from __future__ import annotations

import difflib
import os
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from attrs import Factory, field, frozen
from attrs.converters import optional

from hotbed.errors import HotbedWarning, SettingsError
from hotbed.settings_file import SettingsFile, find_project_file, read_settings_file
from hotbed.trust import FILE as TRUST_FILE
from hotbed.trust import is_trusted
from hotbed.user_folders import cache_folder, config_folder, data_folder, expand

__all__ = ["PROJECT_FILE", "Settings", "load_settings", "trust_file", "user_file"]

PROJECT_FILE = "hotbed.toml"
FREE = frozenset({"priority", "devices", "trace"})
"""Keys that a project file may set without being trusted; ``priority`` only for hotbed's own."""

_PREFIX = "HOTBED_"
_LISTS = ("backends", "blocked", "priority", "devices")
_PATHS = frozenset({"home", "cache", "tuned"})
_PLACES = (*_PATHS, "registry", "registry_blobs")
# Variables that other parts of the project read; they are not settings.
_NOT_SETTINGS = frozenset({"HOTBED_KEY_PASSWORD", "HOTBED_REQUIRE"})


def _default_home() -> Path:
    return data_folder()


def _default_cache(settings: Settings) -> Path:
    """The user's cache, unless the home was chosen: then all lies together."""
    return settings.home if settings.home_chosen else cache_folder() or settings.home


def _default_tuned(settings: Settings) -> Path:
    own = user_file()
    return own.with_name("tuned.json") if own else settings.home / "tuned.json"


def _tuple(value: Any) -> tuple[str, ...]:
    return tuple(value)


def _path(value: str | Path) -> Path:
    return expand(value)


@frozen(kw_only=True)
class Settings:
    """Everything that can be set outside a call.

    Attributes:
        home: Where hotbed keeps what it writes (``HOTBED_HOME``); a registry among it.
        cache: Where converted graphs and unpacked sources are kept (``HOTBED_CACHE``): ``home``
            where that was chosen, else the user's cache folder.
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
        untrusted: The project file that set ``priority`` and was not trusted; None for another
            origin. It may name hotbed's own backends only, which the catalog knows.
    """

    home: Path = field(factory=_default_home, converter=_path)
    home_chosen: bool = field(
        default=Factory(lambda self: self.home != data_folder(required=False), takes_self=True),
        init=False,
        eq=False,
        repr=False,
    )
    cache: Path = field(default=Factory(_default_cache, takes_self=True), converter=_path)
    backends: tuple[str, ...] | None = field(default=None, converter=optional(_tuple))
    blocked: tuple[str, ...] = field(default=(), converter=_tuple)
    priority: tuple[str, ...] = field(default=(), converter=_tuple)
    devices: tuple[str, ...] = field(default=("cuda", "cpu"), converter=_tuple)
    registry: str | None = None
    registry_blobs: str | None = None
    registry_timeout_s: float = 30.0
    paranoid: bool = False
    memory: int | None = None
    tuned: Path = field(default=Factory(_default_tuned, takes_self=True), converter=_path)
    trace: bool = False
    untrusted: Path | None = field(default=None, eq=False)


def user_file() -> Path | None:
    """Where the user's own settings lie; None where this user has no folder for them."""
    folder = config_folder()
    return folder / "config.toml" if folder else None


def trust_file() -> Path | None:
    """Where it is written which project files the user has trusted."""
    folder = config_folder()
    return folder / TRUST_FILE if folder else None


def load_settings(environ: Mapping[str, str] | None = None, folder: Path | None = None) -> Settings:
    """Read the settings that hold here.

    Args:
        environ: Variables; ``os.environ`` if None.
        folder: Where the search for the project file starts; the current folder if None.

    Raises:
        SettingsError: Some of it cannot be used; all mistakes come together. Or a project file
            sets what only a trusted one may.
    """
    environ = os.environ if environ is None else environ
    own, project = user_file(), find_project_file(PROJECT_FILE, folder)
    files = [read_settings_file(path) for path in (own,) if path and path.is_file()]
    trusted = True
    if project is not None and project != own:
        file = read_settings_file(project)
        trusted = _may_set_everything(file)
        files.append(file)
    layers = [(str(file.path), file.with_absolute(_PLACES)) for file in files]
    layers.append(("the environment", _from_environ(environ)))
    merged: dict[str, Any] = {}
    origin: dict[str, str] = {}
    for where, values in layers:
        merged.update(values)
        origin.update(dict.fromkeys(values, where))
    found = _settings(merged, origin)
    if "home" in merged:
        _require_folder(found.home, origin["home"])
    if project is not None and not trusted and origin.get("priority") == str(project):
        object.__setattr__(found, "untrusted", project)
    return found


def _settings(merged: dict[str, Any], origin: dict[str, str]) -> Settings:
    if set(merged) <= _PATHS and all(_plain(value) for value in merged.values()):
        return Settings(**merged)  # nothing that could be wrong, so pydantic stays unimported
    return _validate(merged, origin)


def _plain(value: Any) -> bool:
    return isinstance(value, str) and "\0" not in value


def _may_set_everything(file: SettingsFile) -> bool:
    """Whether the user trusted a project file.

    Raises:
        SettingsError: It was not trusted, and sets what it then may not.
    """
    record = trust_file()
    if record is not None and is_trusted(record, file.path, file.content):
        return True
    if refused := sorted(set(file.values).intersection(_KEYS) - FREE):
        raise SettingsError(
            f"{file.path} sets {', '.join(refused)}, and you have not trusted it as it is now: a "
            f"project file may be a stranger's, and without trust sets {', '.join(sorted(FREE))} "
            f"only. Read it; if it is right, `hotbed trust {file.path}`"
        )
    return False


def _require_folder(home: Path, where: str) -> None:
    """A home that is a file, or lies below one, is a spelling mistake."""
    try:
        existing = next(place for place in (home, *home.parents) if place.exists())
        wrong = "" if existing.is_dir() else f"{existing} is not a folder"
    except (OSError, StopIteration) as error:
        wrong = str(error)
    if wrong:
        raise SettingsError(
            f"home (HOTBED_HOME) is {home}, set in {where}, and cannot be a folder: {wrong}"
        )


def _from_environ(environ: Mapping[str, str]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for name, text in environ.items():
        if not name.startswith(_PREFIX) or name in _NOT_SETTINGS:
            continue
        key = name.removeprefix(_PREFIX).lower()
        if key not in _KEYS:
            _warn_of(name)
        elif key in _LISTS:
            values[key] = [part.strip() for part in text.split(",") if part.strip()]
        elif text:  # an empty variable is one that was not set; an empty list is a list
            values[key] = text
    return values


_KEYS = tuple(key for key in Settings.__annotations__ if key not in ("home_chosen", "untrusted"))


def _warn_of(name: str) -> None:
    """A variable that begins like ours may be a plugin's, the user's own, or misspelt."""
    known = [f"{_PREFIX}{key.upper()}" for key in _KEYS]
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.85)
    hint = f"; {near[0]} is, if that was meant" if near else ""
    warnings.warn(
        f"the variable {name} is no setting of hotbed, and was not read{hint}",
        HotbedWarning,
        stacklevel=4,
    )


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
        cache: Path | None = None

    try:
        checked = File.model_validate(values)
        if odd := [key for key in _PLACES if "\0" in str(values.get(key, ""))]:
            raise SettingsError(f"{', '.join(odd)}: a path cannot hold a NUL character")
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
