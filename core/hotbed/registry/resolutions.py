"""What references meant when the registry was asked last, kept on this machine for an outage.

Nothing is believed of it but which manifest was meant: the folder of that version is compared with
the digests of its manifest, and the manifest with its own, as ever.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
from attrs import evolve, frozen

from hotbed.errors import RegistryError
from hotbed.formats import require_version
from hotbed.publishing import publish_file
from hotbed.registry.events import now
from hotbed.registry.registered import Registered

if TYPE_CHECKING:
    from hotbed.registry.registry import Registry

__all__ = ["Resolution", "opened_for", "recall", "remember"]

_log = logging.getLogger("hotbed.registry")

_FORMAT = "hotbed-resolution"
_VERSION = 1
_LARGEST = 1 << 20


@frozen(kw_only=True)
class Resolution:
    """What a reference meant.

    Attributes:
        version: The version.
        at: Since when, as far as this machine has seen.
    """

    version: Registered
    at: str


def remember(cache: Path, place: str, reference: str, version: Registered) -> None:
    """Keep what a reference means now; where nothing can be written nothing is kept."""
    bare = evolve(version, tags={}, metrics={}, aliases=())
    old = recall(cache, place, reference)
    if old is not None and old.version == bare:
        return
    content = {
        "format": _FORMAT,
        "format_version": _VERSION,
        "registry": place,
        "reference": reference,
        "at": now(),
        "version": attrs.asdict(bare),
    }
    try:
        with publish_file(_path(cache, place, reference)) as stage:
            stage.write_text(json.dumps(content, indent=1), encoding="utf-8")
    except OSError as error:
        _log.debug("what %s means is not kept for an outage: %s", reference, error)


def recall(cache: Path, place: str, reference: str) -> Resolution | None:
    """What a reference meant when the registry was asked last; None where that is not known."""
    path = _path(cache, place, reference)
    with contextlib.suppress(OSError, ValueError, TypeError, KeyError, RecursionError):
        with path.open("rb") as file:
            content = json.loads(file.read(_LARGEST))
        require_version({**content, "version": content["format_version"]}, _FORMAT, _VERSION)
        if (content["format"], content["registry"], content["reference"]) == (
            _FORMAT,
            place,
            reference,
        ):
            return Resolution(version=_version(content["version"]), at=str(content["at"]))
    return None


def opened_for(registry: str | Path | None, reference: str, cache: Path) -> Registry:
    """Open a registry; in an outage only where this machine knows what the reference meant.

    Raises:
        RegistryError: There is none, or it cannot be reached.
    """
    from hotbed.registry.registry import Registry

    try:
        return Registry(registry, create=False)
    except RegistryError:
        later = Registry(registry, create=False, connect=False)
        if recall(cache, later.store.place, reference) is None:
            raise
        return later


def _version(values: dict[str, Any]) -> Registered:
    known = {one.name for one in attrs.fields(Registered)}
    found = {name: value for name, value in values.items() if name in known}
    found |= {"formats": tuple(found["formats"]), "aliases": ()}
    return Registered(**found)


def _path(cache: Path, place: str, reference: str) -> Path:
    name = hashlib.sha256(f"{place}\n{reference}".encode()).hexdigest()
    return cache / "resolutions" / f"{name}.json"
