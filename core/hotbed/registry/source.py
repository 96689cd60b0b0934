"""``registry:name@version``: a registered version as a model folder, every byte of it checked."""

from __future__ import annotations

import logging
import warnings
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from hotbed.errors import HotbedWarning, RegistryDamageError, RegistryUnavailableError
from hotbed.models.folder import list_files
from hotbed.registry.registered import Registered, split
from hotbed.registry.resolutions import opened_for, recall, remember
from hotbed.registry.versions import Requirement
from hotbed.sources.located import Located, Reference

if TYPE_CHECKING:
    from hotbed.registry.registry import Registry

__all__ = ["locate"]

_log = logging.getLogger("hotbed.registry")


def locate(reference: Reference) -> Located:
    """Find a version.

    Raises:
        NotRegisteredError: It is not in the registry.
        CorruptFileError, MissingFileError: A file of it is not what was registered.
        RegistryUnavailableError: The registry cannot be asked, and no exact version that is on
            this machine was meant.
    """
    from hotbed.registry.registry import Registry

    home, given = reference.home, reference.registry
    wanted = reference.name + (f"@{reference.revision}" if reference.revision else "")
    cache = home / "registered"
    known = isinstance(given, Registry)
    with nullcontext(given) if known else opened_for(given, wanted, cache) as registry:
        found = _resolved(registry, wanted, cache)
        if found.deprecated is not None:
            warnings.warn(f"{found} is deprecated: {found.deprecated}", HotbedWarning, stacklevel=2)
        path: Path = registry.checkout_version(found, home, paranoid=reference.paranoid)
        place = registry.store.place
    return Located(
        path=path,
        name=str(found),
        origin=f"registry:{found} (manifest {found.manifest[:12]}) of {place}",
        files=list_files(path),
    )


def _resolved(registry: Registry, wanted: str, cache: Path) -> Registered:
    """What is meant; in an outage an exact version that was asked for before, with a warning."""
    place = registry.store.place
    try:
        found = registry.resolve(wanted)
    except (RegistryUnavailableError, RegistryDamageError) as error:
        known = recall(cache, place, wanted)
        if known is None:
            raise
        requirement = Requirement.parse(split(wanted)[1])
        if requirement is None or not requirement.exact:
            raise type(error)(
                f"{error}. {wanted} was {known.version} when it was asked for last; an exact "
                f"version that is on this machine loads without the database: "
                f"registry:{known.version}"
            ) from error
        _log.warning("%s; %s is taken from this machine", error, known.version)
        return known.version
    remember(cache, place, wanted, found)
    if wanted != str(found):
        remember(cache, place, str(found), found)
    return found
