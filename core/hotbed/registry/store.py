"""Where a registry keeps what it keeps: a database, and blobs."""

from __future__ import annotations

import contextlib
import os
import uuid
from pathlib import Path

from attrs import frozen

from hotbed.errors import CorruptFileError, RegistryError, UsageError
from hotbed.publishing import sync
from hotbed.registry.blobs import Blobs, LocalBlobs
from hotbed.registry.database import TIMEOUT_S, Database, shown
from hotbed.registry.migrating import migrate
from hotbed.registry.ownership import Ownership, read_marker

__all__ = ["Store", "open_store"]

DATABASE = "registry.sqlite3"
BLOBS = "blobs"

_BEGIN_ANEW = (
    "put a copy of the database back; where there is none, the versions are in no table any more: "
    "make a new registry elsewhere, and take them in from archives or from their folders"
)


@frozen(kw_only=True, eq=False)
class Store:
    """An open registry's two halves.

    Attributes:
        place: Where it is, for messages; without a password.
        database: Versions, aliases, events.
        blobs: Files.
        ownership: Whose the files are.
    """

    place: str
    database: Database
    blobs: Blobs
    ownership: Ownership


def open_store(
    where: str | Path,
    blobs: str | Path | None = None,
    *,
    create: bool = True,
    connect: bool = True,
    any_store: bool = False,
    timeout_s: float = TIMEOUT_S,
    actor: str = "",
) -> Store:
    """Open a registry, making it where there is none, and bringing its tables up to date.

    Args:
        where: A folder, for SQLite and blobs beside it; or a ``postgresql://`` URL.
        blobs: Where blobs are: a folder, or a URL that fsspec knows; beside SQLite unless said.
        create: Whether to make one where there is none.
        connect: Whether to look at the database now; without it the first use does.
        any_store: Whether blobs may be another registry's, because they are to be taken over.
        timeout_s: Seconds that one wait for the database takes at most.
        actor: Who uses it, for whoever waits meanwhile.

    Raises:
        RegistryError: There is none, or it cannot be used; or the blobs are another's.
    """
    text, made = str(where), False
    if "://" in text:
        if blobs is None:
            raise UsageError(
                "a registry in a database needs a place for files too: blobs= or "
                "HOTBED_REGISTRY_BLOBS, a folder that all of its users see, or s3://bucket/prefix"
            )
        database, place, kept = Database(text, timeout_s, actor), shown(text), _blobs(blobs)
    else:
        root = Path(text).expanduser().absolute()
        kept = _blobs(root / BLOBS if blobs is None else blobs)
        if connect:
            made = _require_database(root, kept, create=create, any_store=any_store)
        database, place = Database(str(root / DATABASE), timeout_s, actor), str(root)
    if connect:
        made |= database.prepare(lambda: None if any_store else _require_unused(place, kept))
    ownership = Ownership(place=place, database=database, blobs=kept)
    store = Store(place=place, database=database, blobs=kept, ownership=ownership)
    if made and not any_store:
        ownership.claim()
    elif connect and not any_store and isinstance(kept, LocalBlobs):
        # Far away a look takes time, and may fail while all that is needed is here: the first use
        # of the files looks there.
        with contextlib.suppress(CorruptFileError, OSError):  # whoever writes is told
            ownership.require_own()
    return store


def _require_database(root: Path, kept: Blobs, *, create: bool, any_store: bool) -> bool:
    """See that there is a SQLite file that may be opened, making one where there may be none.

    Returns:
        Whether one was made.

    Raises:
        RegistryError: It is gone, or emptied, or was never made.
    """
    path, made = root / DATABASE, False
    if not path.exists():
        if not any_store:
            _require_unused(str(root), kept, gone=path)
        log = path.with_name(f"{DATABASE}-wal")
        if not path.exists() and log.exists() and log.stat().st_size:
            raise RegistryError(f"{path} is gone, and {log.name} is there still: {_BEGIN_ANEW}")
        if not path.exists():
            if not create:
                raise RegistryError(f"{root} holds no registry; `hotbed registry init` makes one")
            made = _make(path)
    if not path.stat().st_size:
        raise RegistryError(
            f"{path} has 0 bytes: it was emptied, and a new registry never is. {_BEGIN_ANEW}"
        )
    return made


def _make(path: Path) -> bool:
    """Make a SQLite file with every table, which appears at once or not at all; whether it did."""
    path.parent.mkdir(parents=True, exist_ok=True)
    stage = path.with_name(f".new-{os.getpid()}-{uuid.uuid4().hex[:8]}.sqlite3")
    try:
        stage.touch()
        database = Database(str(stage))
        migrate(database)
        database.close()
        sync(stage)
        try:
            os.link(stage, path)
        except FileExistsError:
            return False  # another process was quicker
        except OSError:  # a file system without links
            if path.exists():
                return False
            stage.replace(path)
        sync(path.parent)
        return True
    finally:
        for left in path.parent.glob(f"{stage.name}*"):
            left.unlink(missing_ok=True)


def _require_unused(place: str, kept: Blobs, gone: Path | None = None) -> None:
    """Refuse a new registry on blobs that are another's, or this one's whose database is gone.

    Raises:
        RegistryError: So they are.
    """
    with contextlib.suppress(CorruptFileError):
        owner = read_marker(kept)
        some = next(iter(kept), None)
        if (owner is None and some is None) or (gone is not None and gone.exists()):
            return
        whose = f"belong to the registry {owner}" if owner else "carry no registry's id"
        what = f"{gone} is not there" if gone is not None else f"{place} holds no registry yet"
        raise RegistryError(
            f"{what}, and the files in {kept.place} {whose}: no new registry is made on them. If "
            f"its database was lost, {_BEGIN_ANEW}. Else give this one a place for files of its "
            f"own (blobs=, HOTBED_REGISTRY_BLOBS)"
        )
    raise RegistryError(f"{kept.place} carries an id that cannot be read: {_BEGIN_ANEW}")


def _blobs(where: str | Path) -> Blobs:
    if "://" in str(where):
        from hotbed.registry.remote_blobs import RemoteBlobs

        return RemoteBlobs(str(where).rstrip("/"))
    return LocalBlobs(Path(where).expanduser().absolute())
