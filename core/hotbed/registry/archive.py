"""Versions as one tar, for machines that reach nothing: every file by its digest.

``hotbed-archive.json`` lists the versions with what is said of them; ``manifests/<sha256>`` and
``blobs/<sha256>`` follow. Nothing is believed on the way in: a manifest is what its name says, a
file is one that a manifest asks for, and all of them become visible in one commit or none does. An
archive is read twice: whole before anything is stored of it, and again to store it.
"""

from __future__ import annotations

import hashlib
import io
import tarfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import IO, Any

from attrs import frozen
from sqlalchemy import Connection

from hotbed.bounded import free_bytes
from hotbed.errors import (
    CorruptFileError,
    HotbedError,
    MissingFileError,
    RegistryError,
    RegistryUnavailableError,
    UsageError,
)
from hotbed.inference.progress import LONG_BYTES, Progress
from hotbed.models.jsonfile import require_regular
from hotbed.publishing import STAGE_PREFIX, is_abandoned, publish_file
from hotbed.registry.archived import Entry, read_entry_manifest, read_index
from hotbed.registry.blobs import LocalBlobs
from hotbed.registry.checkout import read_manifest
from hotbed.registry.events import append
from hotbed.registry.finding import find, full_all
from hotbed.registry.inserting import blobs_are_there, insert_version, known, link_children
from hotbed.registry.manifest import Manifest, canonical
from hotbed.registry.notes import deprecate_in
from hotbed.registry.ownership import head_of
from hotbed.registry.registered import Registered
from hotbed.registry.signing import SIGN, signatures
from hotbed.registry.store import Store

__all__ = ["Imported", "export_archive", "import_archive"]

INDEX, MANIFESTS, BLOBS = "hotbed-archive.json", "manifests/", "blobs/"
_VERSION = 1
TRIES = 3
"""Times that files are stored which a garbage collection took before the commit."""

_SMALL = 64 << 20
"""Bytes that a list of versions, or a manifest, has at most."""


@frozen(kw_only=True)
class Imported:
    """What an import did.

    Attributes:
        made: Versions that are new here.
        known: Versions that were here already, byte by byte the same.
    """

    made: tuple[Registered, ...]
    known: tuple[Registered, ...]


class _Hashed(io.RawIOBase):
    """Reads a blob and hashes what it gave."""

    def __init__(self, source: IO[bytes]) -> None:
        self.source, self.hashing = source, hashlib.sha256()

    def read(self, size: int = -1, /) -> bytes:
        """Read on."""
        chunk = self.source.read(size)
        self.hashing.update(chunk)
        return chunk


def export_archive(
    store: Store, references: Iterable[str], out: Path, *, show: bool | None = None
) -> list[Registered]:
    """Write versions to a tar; every byte is checked on its way.

    Args:
        store: The registry.
        references: Which versions.
        out: The file; it appears when it is whole.
        show: Whether to show a bar.

    Raises:
        CorruptFileError, MissingFileError: A file is not what was registered; nothing is written.
    """
    store.ownership.require_own()
    with store.database.reading() as connection:
        found = full_all(connection, [find(connection, one) for one in references])
    manifests = {one.manifest: read_manifest(store, one) for one in found}
    sizes = {e.sha256: e.size for manifest in manifests.values() for e in manifest.files}
    index = {"archive": _VERSION, "versions": [_entry(store, one) for one in found]}
    listed = canonical(index)
    if len(listed) > _SMALL:
        raise UsageError(
            f"what is said of these {len(found)} versions has {len(listed):,} bytes, and an "
            f"archive holds up to {_SMALL:,}; export fewer at a time"
        )
    _sweep(out.parent)
    with (
        publish_file(out) as stage,
        tarfile.open(stage, "w", format=tarfile.PAX_FORMAT) as tar,
        _bar("Exporting", sizes, show) as progress,
    ):
        _add(tar, INDEX, listed)
        for digest, manifest in sorted(manifests.items()):
            _add(tar, MANIFESTS + digest, manifest.encode())
        for digest, size in sorted(sizes.items()):
            _add_blob(store, tar, digest, size)
            progress.advance(size)
    return found


def _sweep(folder: Path) -> None:
    """Remove what exports that were killed have left here."""
    for stage in folder.glob(f"{STAGE_PREFIX}*.tar"):
        if stage.is_file() and is_abandoned(stage):
            stage.unlink(missing_ok=True)


def _entry(store: Store, one: Registered) -> dict[str, Any]:
    texts = {"description": one.description, "domain": one.domain, "licence": one.licence}
    return {
        "manifest": one.manifest,
        "notes": {**texts, "tags": dict(one.tags), "metrics": dict(one.metrics)},
        "deprecated": one.deprecated,
        "signatures": [signature.bundle for signature in signatures(store, one)],
    }


def _bar(label: str, sizes: Mapping[str, int], show: bool | None) -> Progress:
    total = sum(sizes.values())
    return Progress(total=total, show=show, unit="B", label=label, least=LONG_BYTES)


def _add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    member = tarfile.TarInfo(name)  # no times and no owners: the same versions, the same bytes
    member.size = len(content)
    tar.addfile(member, io.BytesIO(content))


def _add_blob(store: Store, tar: tarfile.TarFile, digest: str, size: int) -> None:
    member = tarfile.TarInfo(BLOBS + digest)
    member.size = size
    with store.blobs.open(digest) as file:
        source = _Hashed(file)
        try:
            tar.addfile(member, source)
        except OSError as error:
            if error.errno is not None:  # the disk's
                raise
            # tarfile's own, where there are fewer bytes than it was told
            raise CorruptFileError(f"the blob {digest} cannot be written: {error}") from error
        if source.read(1) or source.hashing.hexdigest() != digest:
            raise CorruptFileError(
                f"the blob {digest} is damaged: it has another sha256, or another size than "
                f"{size:,}; `hotbed registry doctor --repair` mends it from a copy"
            )


def import_archive(
    store: Store, path: Path, *, who: str, why: str, show: bool | None = None
) -> Imported:
    """Take in what ``export_archive`` wrote.

    Raises:
        CorruptFileError, MissingFileError: It is cut off, or holds something else than it says.
        RegistryError: A version is here already, and is another.
        UsageError: A name or a path in it would not travel.
    """
    require_regular(path)
    store.ownership.claim()
    # Read twice: nothing is stored of an archive that is not whole.
    _, checked = _read(path, _digest, _bar("Checking", {}, show=False))
    _require_room(store, checked, path)
    sizes = _sizes(checked)
    for _ in range(TRIES):
        with _bar("Importing", sizes, show) as progress:
            entries, manifests = _read(path, lambda file: store.blobs.put_stream(file)[0], progress)
        imported = _commit(store, path, entries, manifests, who=who, why=why)
        if imported is not None:
            return imported
    raise RegistryError(
        f"garbage was collected {TRIES} times while {path} was imported; something deletes files "
        f"of {store.place} without asking it"
    )


def _commit(
    store: Store,
    path: Path,
    entries: list[Entry],
    manifests: dict[str, Manifest],
    *,
    who: str,
    why: str,
) -> Imported | None:
    """Make all versions visible; None where a file was collected since it was stored."""
    made, here = [], []
    with store.database.writing() as connection:
        wanted = [entry for manifest in manifests.values() for entry in manifest.files]
        if not blobs_are_there(connection, store, wanted):
            return None
        for entry in entries:
            manifest = manifests[entry.manifest]
            if _require_same(connection, manifest, entry, path):
                here.append(find(connection, f"{manifest.name}@{manifest.version}"))
                continue
            one = insert_version(connection, manifest, entry.notes, "import", who=who, why=why)
            for bundle in entry.signatures:
                payload = {"manifest": one.manifest, "signature": bundle}
                append(connection, SIGN, one.name, one.version, payload, who=who, why=why)
            if entry.deprecated is not None:
                deprecate_in(connection, one, entry.deprecated, who=who, why=why)
            made.append(one)
        link_children(connection, made)
        head = head_of(connection)
    store.ownership.note(head)
    return Imported(made=tuple(made), known=tuple(here))


def _require_same(connection: Connection, manifest: Manifest, entry: Entry, path: Path) -> bool:
    """Whether a version is here already; if so it has to be the same.

    Raises:
        RegistryError: It is another, or was deleted.
    """
    row = known(connection, manifest.name, manifest.version)
    if row is None:
        return False
    if row.manifest == entry.manifest and not row.deleted_at:
        return True
    was = f"was deleted here on {row.deleted_at[:10]}" if row.deleted_at else "is another here"
    raise RegistryError(
        f"{manifest.name}@{manifest.version} of {path.name}, {entry.manifest[:12]}…, {was} "
        f"({row.manifest[:12]}…): a version never changes, and its number is used once"
    )


def _digest(source: IO[bytes]) -> str:
    return hashlib.file_digest(source, "sha256").hexdigest()  # type: ignore[arg-type]


def _sizes(manifests: Mapping[str, Manifest]) -> dict[str, int]:
    return {e.sha256: e.size for manifest in manifests.values() for e in manifest.files}


def _require_room(store: Store, manifests: Mapping[str, Manifest], path: Path) -> None:
    """Refuse what the disk has no room for, before anything is stored.

    Raises:
        RegistryUnavailableError: It has none.
    """
    if not isinstance(store.blobs, LocalBlobs):
        return
    new = {
        digest: size for digest, size in _sizes(manifests).items() if not store.blobs.size(digest)
    }
    wanted, free = sum(new.values()), free_bytes(store.blobs.root)
    if wanted > free:
        raise RegistryUnavailableError(
            f"{path} holds {wanted:,} bytes that are new, and {free:,} are free at "
            f"{store.blobs.place}: `hotbed registry gc` and `hotbed cache prune` free space"
        )


def _read(
    path: Path, take: Callable[[IO[bytes]], str], progress: Progress
) -> tuple[list[Entry], dict[str, Manifest]]:
    """Read an archive to its end; every blob is handed over, and its digest compared."""
    try:
        with tarfile.open(path, "r:") as tar:
            return _take_in(tar, path, take, progress)
    except FileNotFoundError as error:
        raise MissingFileError(f"{path} is not there") from error
    except HotbedError:
        raise
    except (tarfile.TarError, ArithmeticError, ValueError, LookupError, RecursionError) as error:
        raise CorruptFileError(
            f"{path} is no archive of versions, or cut off: {error!s:.200}"
        ) from error


def _take_in(
    tar: tarfile.TarFile, path: Path, take: Callable[[IO[bytes]], str], progress: Progress
) -> tuple[list[Entry], dict[str, Manifest]]:
    """Hand over every blob that a manifest asks for; nothing else may be there."""
    entries = read_index(_small(tar, tar.next(), INDEX, path))
    manifests: dict[str, Manifest] = {}
    for digest in sorted({entry.manifest for entry in entries}):
        content = _small(tar, tar.next(), MANIFESTS + digest, path)
        manifests[digest] = read_entry_manifest(digest, content)
    for digest, size in sorted(_sizes(manifests).items()):
        member = _next(tar.next(), BLOBS + digest, path)
        if member.size != size:
            raise CorruptFileError(
                f"{path}: the file {digest} has {member.size:,} bytes, and its manifest says "
                f"{size:,}"
            )
        source = tar.extractfile(member)
        assert source is not None  # an ordinary file
        found = take(source)
        if found != digest:
            raise CorruptFileError(f"{path}: the file {digest} is damaged: it has {found}")
        progress.advance(size)
    if (member_after := tar.next()) is not None:
        raise CorruptFileError(
            f"{path} has {member_after.name!r:.100} at its end, which no version asks for; "
            f"it was changed"
        )
    return entries, manifests


def _next(member: tarfile.TarInfo | None, name: str, path: Path) -> tarfile.TarInfo:
    # A sparse member says that it is larger than what is there.
    if member is None or member.name != name or not member.isreg() or member.issparse():
        there = "its end" if member is None else f"{member.name!r:.100}"
        raise CorruptFileError(
            f"{path} has {there} where {name} belongs; it was cut off or changed"
        )
    return member


def _small(tar: tarfile.TarFile, member: tarfile.TarInfo | None, name: str, path: Path) -> bytes:
    found = _next(member, name, path)
    if found.size > _SMALL:
        raise CorruptFileError(f"{path}: {name} has {found.size:,} bytes, which is too much")
    source = tar.extractfile(found)
    assert source is not None  # an ordinary file
    return source.read()
