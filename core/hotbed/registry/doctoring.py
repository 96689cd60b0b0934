"""Look at everything that a registry keeps, and mend what another copy can mend.

Every blob that a version needs is read and hashed: that is what finds a byte that a disk has lost
in silence. Blobs that no version needs are no fault: a killed writer leaves such, and gc takes
them.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from attrs import evolve, frozen
from sqlalchemy import Connection, insert, text, update
from sqlalchemy.exc import DatabaseError

from hotbed.errors import (
    CorruptFileError,
    HotbedError,
    MissingFileError,
    RegistryError,
    RegistryUnavailableError,
    UsageError,
)
from hotbed.models.digests import sha256
from hotbed.registry.auditing import findings
from hotbed.registry.derived import Expected, derive
from hotbed.registry.rebuilding import rebuild
from hotbed.registry.store import Store
from hotbed.registry.tables import manifests
from hotbed.registry.trail import read_trail

__all__ = ["Diagnosis", "Fault", "examine", "repair"]

_log = logging.getLogger("hotbed.registry")

_CHUNK = 1 << 20

_LINKED = (
    "what is checked out on this machine is a hard link to the same damaged file, and no copy; "
    "name a folder with a copy: --from"
)

_UNFINISHED = 3600.0
"""Seconds after which a writer is taken to have given up."""


@frozen(kw_only=True)
class Fault:
    """Something that is wrong.

    Attributes:
        digest: The blob; ``""`` where it is none.
        path: The file in the version; ``""`` for a manifest.
        versions: Those that need it.
        said: What is wrong.
    """

    digest: str = ""
    path: str = ""
    versions: tuple[str, ...] = ()
    said: str

    def __str__(self) -> str:
        whose = ", ".join(self.versions)
        what = self.path or ("the manifest" if self.digest else "")
        return ": ".join(part for part in (whose, what, self.said) if part)


@frozen(kw_only=True)
class Diagnosis:
    """What was found.

    Attributes:
        versions: How many were looked at.
        blobs: How many blobs were read.
        nbytes: Their size.
        faults: What is wrong.
        orphans: Blobs that no version needs; gc takes them.
        orphan_bytes: Their size.
        stages: Files that a writer began more than an hour ago and never finished; gc takes them.
        repaired: Faults that were mended.
    """

    versions: int
    blobs: int
    nbytes: int
    faults: tuple[Fault, ...]
    orphans: int
    orphan_bytes: int
    stages: int = 0
    repaired: tuple[Fault, ...] = ()


@frozen(kw_only=True)
class _Needed:
    digest: str
    size: int
    path: str
    versions: tuple[str, ...]


def examine(store: Store, part: tuple[int, int] = (1, 1)) -> Diagnosis:
    """Look at the audit trail, the database, and every blob that a version needs.

    Args:
        store: The registry.
        part: ``(2, 7)`` reads the second seventh of the blobs only: so many runs read them all.

    Raises:
        UsageError: There is no such part.
    """
    which, parts = part
    if not 1 <= which <= parts:
        raise UsageError(f"part {which} of {parts}: write a number from 1 to {parts}")
    faults = [*_of_store(store), *_of_database(store)]
    needed, count = _needed(store)
    reached = {one.digest for one in needed}
    # A digest is as good as chance, and stays the same: a blob is always in the same part.
    needed = [one for one in needed if int(one.digest[:8], 16) % parts == which - 1]
    faults += [fault for one in needed if (fault := _of_blob(store, one)) is not None]
    orphans = [blob for blob in store.blobs if blob.digest not in reached]
    return Diagnosis(
        versions=count,
        blobs=len(needed),
        nbytes=sum(store.blobs.size(one.digest) or 0 for one in needed),
        faults=tuple(faults),
        orphans=len(orphans),
        orphan_bytes=sum(blob.size for blob in orphans),
        stages=store.blobs.tidy(_UNFINISHED, dry=True),
    )


def repair(store: Store, diagnosis: Diagnosis, copies: Sequence[Path]) -> Diagnosis:
    """Mend blobs from folders that may hold copies of them, tables from what proves them.

    A file is taken for a copy by its bytes alone, whatever it is called. Manifests are in what
    ``hotbed registry export`` wrote. Tables and the registry's id are written anew where events,
    manifests and the store's id prove them; whatever does not follow stays a finding.

    Args:
        store: The registry.
        diagnosis: What is wrong.
        copies: Folders: the model as it was registered, another registry, a place where versions
            were checked out.
    """
    broken = {fault.digest: fault for fault in diagnosis.faults if fault.digest}
    places, links, repaired = _places(store, broken), set(), []
    for path in _files(copies):
        if not broken:
            break
        links.add(places.get(_inode(path), ""))
        fault = broken.get(sha256(path))
        if fault is None:
            continue
        if fault.path:
            store.blobs.remove(fault.digest)
            store.blobs.put_file(path)
        else:
            _restore_manifest(store, fault.digest, path)
        repaired.append(broken.pop(fault.digest))
    if any(not fault.digest for fault in diagnosis.faults):
        _rebuild(store)
    after = examine(store)
    left = {fault.said for fault in after.faults}
    repaired += [one for one in diagnosis.faults if not one.digest and one.said not in left]
    faults = tuple(
        evolve(one, said=f"{one.said}; {_LINKED}") if one.digest in links - {""} else one
        for one in after.faults
    )
    return evolve(after, faults=faults, repaired=tuple(repaired))


def _places(store: Store, digests: Iterable[str]) -> dict[tuple[int, int], str]:
    """Where damaged blobs lie on this machine: what is the same file is no copy."""
    found = {}
    for digest in digests:
        path = store.blobs.local(digest)
        if path is not None:
            found[_inode(path)] = digest
    return found


def _inode(path: Path) -> tuple[int, int]:
    stat = path.stat()
    return stat.st_dev, stat.st_ino


def _rebuild(store: Store) -> None:
    try:
        rebuild(store)
    except RegistryUnavailableError:
        raise
    except (DatabaseError, RegistryError) as error:  # what it is about is among the findings
        _log.warning("%s: the tables cannot be written anew: %s", store.place, error)


def _files(folders: Iterable[Path]) -> Iterator[Path]:
    for folder in folders:
        yield from (path for path in sorted(folder.rglob("*")) if path.is_file())


def _of_store(store: Store) -> Iterator[Fault]:
    """Whether the files are this registry's."""
    try:
        store.ownership.require_own()
    except (DatabaseError, HotbedError) as error:
        yield Fault(said=str(error))


def _of_database(store: Store) -> Iterator[Fault]:
    """What SQLite says of its file, and what audit finds, manifests by their digests."""
    try:
        with store.database.reading() as connection:
            if store.database.file is not None:
                yield from _of_sqlite(connection)
            found = findings(connection)
            yield from _of_manifests(found.expected)
            gone = {fault.digest for fault in _of_manifests(found.expected)}
            for said in found.problems:
                if not any(digest in said for digest in gone):  # it was told with its version
                    yield Fault(said=said)
    except (DatabaseError, HotbedError) as error:
        yield Fault(said=f"the database cannot be read: {error}; put a copy of it back")


def _of_sqlite(connection: Connection) -> Iterator[Fault]:
    for said in connection.execute(text("PRAGMA integrity_check")).scalars():
        if said != "ok":
            yield Fault(said=f"SQLite: {said}")
    for row in connection.execute(text("PRAGMA foreign_key_check")):
        yield Fault(said=f"SQLite: a row of {row[0]} points to none of {row[2]}")


def _of_manifests(expected: Expected) -> Iterator[Fault]:
    """Manifests that are gone, or are not what they are named by."""
    for key in sorted(expected.unknown):
        digest = str(expected.tables["versions"][key]["manifest"])
        said = f"expected sha256 {digest}, found another or nothing"
        yield Fault(digest=digest, versions=("@".join(key),), said=said)


def _restore_manifest(store: Store, digest: str, path: Path) -> None:
    with store.database.writing() as connection:
        content = path.read_bytes().decode()
        mine = update(manifests).where(manifests.c.digest == digest)
        if not connection.execute(mine.values(content=content)).rowcount:
            connection.execute(insert(manifests).values(digest=digest, content=content))


def _needed(store: Store) -> tuple[list[_Needed], int]:
    """Blobs of files of the versions that are there, each once with the versions that need it."""
    try:
        with store.database.reading() as connection:
            tables = derive(connection, read_trail(connection).events).tables
    except (DatabaseError, HotbedError):
        return [], 0
    found: dict[str, tuple[int, str, list[str]]] = {}
    for key, row in tables["files"].items():
        entry = found.setdefault(row["sha256"], (row["size"], row["path"], []))
        entry[2].append("@".join(key[:2]))
    needed = [
        _Needed(digest=digest, size=size, path=path, versions=tuple(whose))
        for digest, (size, path, whose) in found.items()
    ]
    return needed, sum(row["deleted_at"] is None for row in tables["versions"].values())


def _of_blob(store: Store, one: _Needed) -> Fault | None:
    try:
        said = _damage(store, one)
    except (CorruptFileError, MissingFileError) as error:
        said = str(error)
    if not said:
        return None
    return Fault(digest=one.digest, path=one.path, versions=one.versions, said=said)


def _damage(store: Store, one: _Needed) -> str:
    size = store.blobs.size(one.digest)
    if size is None:
        return f"the blob {one.digest} is gone"
    if size != one.size:
        return f"the blob {one.digest} has {size:,} bytes instead of {one.size:,}"
    hashing = hashlib.sha256()
    with store.blobs.open(one.digest) as file:
        while chunk := file.read(_CHUNK):
            hashing.update(chunk)
    found = hashing.hexdigest()
    return "" if found == one.digest else f"expected sha256 {one.digest}, found {found}"
