"""Whose blobs they are: a store carries its registry's id, and what that registry knew last.

``hotbed-store.json`` names the registry. ``heads/`` holds one small file for each process that
registered something, and one of the last collection: how far the chain of events had come. A
database whose chain does not hold such a head is an older copy, or another's: it does not know what
the store holds, so nothing is collected by it.
"""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Iterable
from typing import Any

from attrs import define, field, frozen
from sqlalchemy import Connection, func, select

from hotbed.errors import CorruptFileError, RegistryError
from hotbed.registry.blobs import Blobs
from hotbed.registry.database import Database
from hotbed.registry.events import head, now
from hotbed.registry.manifest import Manifest, canonical, sha256
from hotbed.registry.tables import manifests, registry, versions

__all__ = ["HEADS", "MARKER", "Head", "Ownership", "head_of", "read_marker"]

MARKER, HEADS = "hotbed-store.json", "heads"
_log = logging.getLogger("hotbed.registry")

_COUNT = select(func.max(versions.c.id))
"""Versions are numbered as they come, and no row is removed: this is their count, at once."""

_MARKER_FORMAT, _HEAD_FORMAT, _VERSION = "hotbed.blob-store", "hotbed.store-head", 1


@frozen(kw_only=True, order=True)
class Head:
    """How far the chain of events had come.

    Attributes:
        seq: Number of the event.
        digest: Its digest.
        versions: How many versions there were.
    """

    seq: int
    digest: str
    versions: int = 0

    @property
    def name(self) -> str:
        """The file's name; it alone tells which event is meant."""
        return f"{self.seq}-{self.digest}.json"

    def __str__(self) -> str:
        return f"{self.seq}:{self.digest}"


def head_of(connection: Connection) -> Head:
    """How far the chain has come, in a transaction."""
    seq, digest = head(connection)
    count = connection.execute(_COUNT).scalar()
    return Head(seq=seq, digest=digest, versions=int(count or 0))


def read_marker(blobs: Blobs) -> str | None:
    """The id of the registry that a store belongs to; None where it carries none.

    Raises:
        CorruptFileError: There is a marker, and it cannot be read.
        RegistryError: A later hotbed wrote it.
    """
    content = blobs.objects.read(MARKER)
    if content is None:
        return None
    found = _document(content, f"{blobs.place}: {MARKER}", _MARKER_FORMAT)
    owner = found.get("registry")
    if not isinstance(owner, str) or not owner:
        raise CorruptFileError(f"{blobs.place}: {MARKER} names no registry")
    return owner


@define(eq=False)
class Ownership:
    """What a store says of its registry, compared with the registry itself.

    Attributes:
        place: The registry, for messages.
        database: Its database.
        blobs: The store.
    """

    place: str
    database: Database
    blobs: Blobs
    _registry: str = field(default="", init=False)
    _tried: bool = field(default=False, init=False)
    _own: bool = field(default=False, init=False)
    _noted: Head | None = field(default=None, init=False)
    _lock: threading.Lock = field(factory=threading.Lock, init=False)

    @property
    def registry(self) -> str:
        """The registry's id.

        Raises:
            RegistryError: The database holds none.
        """
        if not self._registry:
            with self.database.reading() as connection:
                found = connection.execute(select(registry.c.identity)).scalars().all()
            if len(found) != 1 or not isinstance(found[0], str) or not found[0]:
                raise RegistryError(
                    f"{self.place} holds {len(found)} ids of a registry instead of one: its "
                    f"database was changed; `hotbed registry doctor --repair` takes the id from "
                    f"its store"
                )
            self._registry = found[0]
        return self._registry

    def require_own(self) -> bool:
        """Refuse another registry's store; whether it carries an id at all.

        Raises:
            RegistryError: It is another's; both ids are named.
        """
        if self._own:
            return True
        owner = read_marker(self.blobs)
        if owner is None:
            return False
        if owner != self.registry:
            raise RegistryError(
                f"the files in {self.blobs.place} belong to the registry {owner}, and {self.place} "
                f"is {self.registry}: two registries on one store would delete each other's "
                f"files. Give this one a place of its own (blobs=, HOTBED_REGISTRY_BLOBS); if the "
                f"other is gone for good, `hotbed registry adopt --previous {owner}` takes its "
                f"files over"
            )
        self._own = True
        return True

    def claim(self) -> bool:
        """Before something is written: mark a store that is this registry's; whether it is marked.

        One without an id that holds files is left as it is unless every one of them was registered
        here: gc refuses it then, and nobody else does.

        Raises:
            RegistryError: It is another's.
        """
        if self.require_own():
            return True
        if self._tried:
            return False
        self._tried = True
        return self.strangers() == 0 and self.mark()

    def mark(self) -> bool:
        """Write this registry's id into a store that has none; whether it carries it now."""
        said = {"format": _MARKER_FORMAT, "version": _VERSION, "registry": self.registry}
        self.blobs.objects.create(MARKER, canonical({**said, "marked_at": now()}))
        return self.require_own()

    def adopt(self, previous: str | None) -> None:
        """Take a store over.

        Args:
            previous: The id that it carries; None where it carries none.

        Raises:
            RegistryError: It carries another.
        """
        try:
            owner = read_marker(self.blobs)
        except CorruptFileError:
            owner = None
        if owner == self.registry:
            return
        if owner != previous:
            carried = f"the registry {owner}" if owner else "none"
            raise RegistryError(
                f"{self.blobs.place} carries the id of {carried}, and "
                f"{previous or 'none'} was named: nothing is taken over"
            )
        if owner is not None:
            for name in self.blobs.objects.names(HEADS):
                self.blobs.objects.remove(f"{HEADS}/{name}")
        self.blobs.objects.remove(MARKER)
        self.mark()

    def strangers(self) -> int:
        """Blobs that no version was ever registered with here."""
        present = {blob.digest for blob in self.blobs}
        if not present:
            return 0
        with self.database.reading() as connection:
            for row in connection.execute(select(manifests)):
                if isinstance(row.content, str) and sha256(row.content.encode()) == row.digest:
                    files = Manifest.decode(row.content.encode()).files
                    present.difference_update(entry.sha256 for entry in files)
        return len(present)

    def note(self, head: Head) -> bool:
        """Keep beside the blobs how far the chain has come; what this process kept before, goes.

        It is not flushed: what a power cut takes is a note of the last seconds. Where none can be
        written, the one from before stays; what was committed is committed all the same.

        Returns:
            Whether it is kept.
        """
        said: dict[str, Any] = {"format": _HEAD_FORMAT, "version": _VERSION, "seq": head.seq}
        said |= {"digest": head.digest, "versions": head.versions}
        with self._lock:
            try:
                self.blobs.objects.write(f"{HEADS}/{head.name}", canonical(said), flush=False)
            except (OSError, RegistryError) as error:
                _log.warning("%s keeps no note of event %d: %s", self.blobs.place, head.seq, error)
                return False
            before, self._noted = self._noted, head
        if before is not None and before.seq < head.seq:
            self.blobs.objects.remove(f"{HEADS}/{before.name}")
        return True

    def heads(self) -> list[Head]:
        """What was kept so, in the order of events."""
        found = []
        for name in self.blobs.objects.names(HEADS):
            seq, _, digest = name.removesuffix(".json").partition("-")
            if seq.isdecimal() and len(digest) == 64:
                found.append(Head(seq=int(seq), digest=digest, versions=self._versions(name)))
        return sorted(found)

    def forget(self, heads: Iterable[Head]) -> None:
        """Remove heads that a later one makes needless."""
        for one in heads:
            self.blobs.objects.remove(f"{HEADS}/{one.name}")

    def _versions(self, name: str) -> int:
        try:
            content = self.blobs.objects.read(f"{HEADS}/{name}") or b""
            return int(_document(content, name, _HEAD_FORMAT).get("versions", 0))
        except (CorruptFileError, TypeError, ValueError):
            return 0  # the name tells what matters


def _document(content: bytes, what: str, kind: str) -> dict[str, Any]:
    """A small JSON document of a kind that is known; keys that are not are passed over."""
    try:
        found = json.loads(content)
        if not isinstance(found, dict) or found.get("format") != kind:
            raise ValueError(f"its format is not {kind}")
        version = found.get("version")
        if isinstance(version, bool) or not isinstance(version, int) or version < 1:
            raise ValueError("it has no version")
    except (ValueError, RecursionError) as error:
        raise CorruptFileError(f"{what} cannot be used: {error}") from error
    if version > _VERSION:
        raise RegistryError(
            f"{what} has version {version}, and this hotbed reads up to {_VERSION}; upgrade hotbed"
        )
    return found
