"""Where a registry keeps what it keeps: a database, and blobs."""

from __future__ import annotations

from pathlib import Path

from attrs import frozen

from hotbed.errors import RegistryError, UsageError
from hotbed.registry.blobs import Blobs, LocalBlobs
from hotbed.registry.database import Database, shown
from hotbed.registry.migrating import migrate

__all__ = ["Store", "open_store"]

DATABASE = "registry.sqlite3"
BLOBS = "blobs"


@frozen(kw_only=True, eq=False)
class Store:
    """An open registry's two halves.

    Attributes:
        place: Where it is, for messages; without a password.
        database: Versions, aliases, events.
        blobs: Files.
    """

    place: str
    database: Database
    blobs: Blobs


def open_store(where: str | Path, blobs: str | Path | None = None, *, create: bool = True) -> Store:
    """Open a registry, making it where there is none, and bringing its tables up to date.

    Args:
        where: A folder, for SQLite and blobs beside it; or a ``postgresql://`` URL.
        blobs: Where blobs are: a folder, or a URL that fsspec knows; beside SQLite unless said.
        create: Whether to make one where there is none.

    Raises:
        RegistryError: There is none, or it cannot be used.
    """
    text = str(where)
    if "://" in text:
        if blobs is None:
            raise UsageError(
                "a registry in a database needs a place for files too: blobs= or "
                "HOTBED_REGISTRY_BLOBS, a folder that all of its users see, or s3://bucket/prefix"
            )
        database, place = Database(text), shown(text)
    else:
        root = Path(text).expanduser().absolute()
        if not create and not (root / DATABASE).exists():
            raise RegistryError(f"{root} holds no registry; `hotbed registry init` makes one")
        if create:
            root.mkdir(parents=True, exist_ok=True)
            (root / DATABASE).touch()
        database, place = Database(str(root / DATABASE)), str(root)
        blobs = root / BLOBS if blobs is None else blobs
    migrate(database)
    return Store(place=place, database=database, blobs=_blobs(blobs))


def _blobs(where: str | Path) -> Blobs:
    if "://" in str(where):
        from hotbed.registry.remote_blobs import RemoteBlobs

        return RemoteBlobs(str(where).rstrip("/"))
    return LocalBlobs(Path(where).expanduser().absolute())
