"""Speeds that were measured are remembered, so that the same search has the same answer.

How fast a candidate is decides what is chosen, and no two measurements are equal. What was measured
once, of the same file, on the same machine, with the same versions and texts, is taken again.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path
from typing import Any

import attrs
from attrs import define, field

from hotbed.backends.engine import Engine
from hotbed.errors import ModelError, SettingsError
from hotbed.formats import known, require_version
from hotbed.measurements import this_machine
from hotbed.models.jsonfile import read_object
from hotbed.publishing import publish_file
from hotbed.quantisation.mixes import Mix
from hotbed.tuning.timing import Spread
from hotbed.version import __version__

__all__ = ["FILE", "Speeds", "circumstances"]

FILE = "quantised-speeds.json"
_FORMAT, _VERSION = "hotbed.speeds", 1

_log = logging.getLogger("hotbed.quantisation")


def circumstances(file: str, engines: Iterable[Engine], texts: Iterable[str], rounds: int) -> str:
    """Everything that a speed depends on besides the mix, as one digest.

    Args:
        file: Digest of the float32 file.
        engines: The backends that quantise and run.
        texts: What is embedded.
        rounds: How often.
    """
    whole = hashlib.sha256()
    versions = sorted(
        f"{engine.name} {engine.found.version} {_installed(engine.manifest.needs)}"
        for engine in engines
    )
    for part in (file, str(this_machine()), __version__, *versions, str(rounds), *texts):
        whole.update(f"{part}\0".encode())
    return whole.hexdigest()


def _installed(modules: Iterable[str]) -> str:
    """The versions of distributions that are called like modules; others do not tell."""
    found = []
    for name in modules:
        try:
            found.append(f"{name} {metadata.version(name)}")
        except metadata.PackageNotFoundError:
            continue
    return ", ".join(found)


@define(kw_only=True)
class Speeds:
    """Speeds of mixes under some circumstances.

    Attributes:
        path: The file.
        key: The circumstances.
        again: Whether everything is measured again.
    """

    path: Path
    key: str
    again: bool = False
    _new: dict[str, Any] = field(factory=dict, init=False)

    def recall(self, mix: Mix) -> Spread | None:
        """What was measured of a mix; None where nothing was, or it is to be measured again."""
        name = _name(mix)
        found = self._new if self.again else self._recalled() | self._new
        return Spread(**known(Spread, found[name])) if name in found else None

    def _recalled(self) -> dict[str, Any]:
        try:
            return dict(self._read().get(self.key, {}))
        except SettingsError as error:
            _log.warning("speeds cannot be recalled, and are measured: %s", error)
            return {}

    def remember(self, mix: Mix, speed: Spread) -> None:
        """Keep what was measured. Of two processes that do so at once, one is kept."""
        self._new[_name(mix)] = attrs.asdict(speed)
        try:
            speeds = self._read()
        except SettingsError as error:  # a newer hotbed's file is not written over
            _log.warning("speeds are not remembered: %s", error)
            return
        speeds[self.key] = {**speeds.get(self.key, {}), **self._new}
        try:
            with publish_file(self.path) as place:
                text = json.dumps(
                    {"format": _FORMAT, "version": _VERSION, "speeds": speeds}, indent=1
                )
                place.write_text(text, encoding="utf-8")
        except OSError as error:
            _log.warning("speeds are not remembered: %s: %s", self.path, error)

    def _read(self) -> dict[str, dict[str, Any]]:
        if not self.path.is_file():
            return {}
        try:
            value = read_object(self.path)
            if isinstance(value["version"], int) and value["version"] > _VERSION:
                raise SettingsError(f"{self.path} is a newer hotbed's: version {value['version']}")
            require_version(value, _FORMAT, _VERSION)
            speeds: dict[str, dict[str, Any]] = value["speeds"]
        except (ModelError, ValueError, KeyError, TypeError, AttributeError) as error:
            _log.warning("speeds cannot be recalled, and are measured: %s: %s", self.path, error)
            return {}
        return speeds


def _name(mix: Mix) -> str:
    content = json.dumps([mix.backend, mix.recipe, mix.layers], sort_keys=True)
    return hashlib.sha256(content.encode()).hexdigest()
