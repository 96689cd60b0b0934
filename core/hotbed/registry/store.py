"""Where a registry keeps what it keeps: a database, and blobs."""

from __future__ import annotations

from pathlib import Path

from attrs import frozen

from hotbed.errors import RegistryError, RegistryUnavailableError, UsageError
from hotbed.registry.blobs import Blobs, LocalBlobs
from hotbed.registry.database import TIMEOUT_S, Database, shown

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


def open_store(
    where: str | Path,
    blobs: str | Path | None = None,
    *,
    create: bool = True,
    connect: bool = True,
    timeout_s: float = TIMEOUT_S,
    actor: str = "",
) -> Store:
    """Open a registry, making it where there is none, and bringing its tables up to date.

    Args:
        where: A folder, for SQLite and blobs beside it; or a ``postgresql://`` URL.
        blobs: Where blobs are: a folder, or a URL that fsspec knows; beside SQLite unless said.
        create: Whether to make one where there is none.
        connect: Whether to look at the database now; without it the first use does.
        timeout_s: Seconds that one wait for the database takes at most.
        actor: Who uses it, for whoever waits meanwhile.

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
        database, place = Database(text, timeout_s, actor), shown(text)
    else:
        root = Path(text).expanduser().absolute()
        file = root / DATABASE
        if connect and not file.exists():
            _require_made(root, file, create)
        database, place = Database(str(file), timeout_s, actor), str(root)
        blobs = root / BLOBS if blobs is None else blobs
    if connect:
        database.prepare()
    return Store(place=place, database=database, blobs=_blobs(blobs))


def _require_made(root: Path, file: Path, create: bool) -> None:
    if not create:
        raise RegistryError(f"{root} holds no registry; `hotbed registry init` makes one")
    try:
        root.mkdir(parents=True, exist_ok=True)
        file.touch()
    except OSError as error:
        raise RegistryUnavailableError(f"no registry can be made in {root}: {error}") from error


def _blobs(where: str | Path) -> Blobs:
    if "://" in str(where):
        from hotbed.registry.remote_blobs import RemoteBlobs

        return RemoteBlobs(str(where).rstrip("/"))
    return LocalBlobs(Path(where).expanduser().absolute())
