"""``registry:name@version``: a registered version as a model folder, every byte of it checked."""

from __future__ import annotations

import warnings
from contextlib import nullcontext
from pathlib import Path

from hotbed.errors import HotbedWarning
from hotbed.models.digests import DigestCache
from hotbed.models.folder import list_files
from hotbed.sources.located import Located, Reference

__all__ = ["locate"]


def locate(reference: Reference) -> Located:
    """Find a version.

    Raises:
        NotRegisteredError: It is not in the registry.
        CorruptFileError, MissingFileError: A file of it is not what was registered.
    """
    from hotbed.registry.checkout import checkout
    from hotbed.registry.registry import Registry

    home, given = reference.home, reference.registry
    opened = nullcontext(given) if isinstance(given, Registry) else Registry(given, create=False)
    with opened as registry:
        wanted = reference.name + (f"@{reference.revision}" if reference.revision else "")
        found = registry.resolve(wanted)
        if found.deprecated is not None:
            warnings.warn(f"{found} is deprecated: {found.deprecated}", HotbedWarning, stacklevel=2)
        path: Path = checkout(
            registry.store,
            found,
            home / "registered",
            DigestCache(home / "digests.sqlite3"),
            paranoid=reference.paranoid,
        )
        place = registry.store.place
    return Located(
        path=path,
        name=str(found),
        origin=f"registry:{found} (manifest {found.manifest[:12]}) of {place}",
        files=list_files(path),
    )
