"""Collect the blobs that no version reaches any more.

What is reached follows from the chain of events and the manifests that it names, and from nothing
that is derived of them. A collection happens inside writing transactions, as commits do: a blob
that a writer has stored and not yet committed may be collected; the writer's commit finds that out
and stores it again.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from attrs import define, field, frozen
from sqlalchemy import Connection, bindparam, select

from hotbed.errors import CorruptFileError, RegistryError
from hotbed.registry.blobs import Blob
from hotbed.registry.events import Event, read_events
from hotbed.registry.manifest import Manifest, sha256
from hotbed.registry.ownership import Head, Ownership
from hotbed.registry.store import Store
from hotbed.registry.tables import manifests, models, versions
from hotbed.registry.trail import read_trail

__all__ = ["GRACE", "Collected", "collect"]

_AT_ONCE = 200
"""Blobs that are removed in one transaction: writers wait meanwhile."""

GRACE = 3600.0
"""Seconds that a blob stays after somebody wanted it."""

_KINDS = ("register", "import", "delete")
_MANIFEST = select(manifests.c.content).where(manifests.c.digest == bindparam("digest"))


@frozen(kw_only=True)
class Collected:
    """What a collection removed, or would.

    Attributes:
        blobs: How many.
        nbytes: Their size.
        dry: Whether nothing was removed.
    """

    blobs: int
    nbytes: int
    dry: bool


@define
class _Reached:
    """Blobs that versions reach, followed along the chain of events."""

    chain: dict[int, str] = field(factory=dict)
    living: dict[tuple[str, str], str] = field(factory=dict)
    blobs: dict[str, int] = field(factory=dict)
    """Digest → number of versions that hold it."""
    _files: dict[str, list[str]] = field(factory=dict)

    @property
    def head(self) -> Head:
        """The last event that was taken in."""
        seq = max(self.chain, default=0)
        return Head(seq=seq, digest=self.chain.get(seq, ""), versions=len(self.living))

    def follow(self, connection: Connection, events: Iterable[Event]) -> None:
        """Take in events, in their order."""
        for event in events:
            self.chain[event.seq] = event.digest
            key = (event.model, event.subject)
            if event.kind in ("register", "import"):
                self.living[key] = str(event.payload["manifest"])
            elif event.kind == "delete":
                self.living.pop(key, None)
        self._count(connection)

    def _count(self, connection: Connection) -> None:
        self.blobs = {}
        for (model, version), digest in self.living.items():
            if digest not in self._files:
                self._files[digest] = _files(connection, f"{model}@{version}", digest)
            for name in self._files[digest]:
                self.blobs[name] = self.blobs.get(name, 0) + 1


def collect(
    store: Store, *, dry: bool = False, older_than: float = GRACE, abandon: Collection[str] = ()
) -> Collected:
    """Remove the blobs that no version reaches.

    Args:
        store: The registry.
        dry: Whether only to count them.
        older_than: Seconds since a blob was last wanted. What a writer has stored and not yet
            committed is younger, so writers need not store it twice. Nothing else depends on it.
        abandon: Heads (``NUMBER:DIGEST``) that the store remembers and the database does not
            know, and whose versions are given up.

    Raises:
        RegistryError: The store is another's, the database does not know all that was registered,
            or the trail or a manifest is damaged. Nothing was removed.
    """
    # What the store says is read before the trail is, which can have grown meanwhile only.
    own, blobs = store.ownership, list(store.blobs)
    kept, marked = own.heads(), own.require_own()
    with store.database.reading() as connection:
        trail = read_trail(connection)
        if trail.problems:
            raise RegistryError(f"{trail.problems[0]}; no file is removed")
        reached = _Reached()
        reached.follow(connection, trail.events)
        _require_same_versions(connection, reached)
    if blobs and not marked:
        _require_known(own, dry)
    before = store.blobs.objects.clock() - older_than if blobs else 0.0
    candidates = [blob for blob in blobs if blob.wanted <= before]
    lost = [head for head in kept if reached.chain.get(head.seq) != head.digest]
    _require_given_up(own, lost, abandon, [b for b in candidates if b.digest not in reached.blobs])
    # On a full disk the note is written once there is room; until then the earlier ones stay.
    noted = dry or _note(own, reached, kept)
    gone, nbytes = _remove(store, reached, candidates, dry)
    if not noted:
        _note(own, reached, kept)
    if not dry:
        store.blobs.tidy(max(older_than, GRACE))
    return Collected(blobs=gone, nbytes=nbytes, dry=dry)


def _note(own: Ownership, reached: _Reached, kept: list[Head]) -> bool:
    """Keep how far the chain has come, in place of what was kept before; whether it is kept."""
    head = reached.head
    if not reached.chain or not own.note(head):
        return False
    own.forget(one for one in kept if one != head)
    return True


def _remove(store: Store, reached: _Reached, candidates: list[Blob], dry: bool) -> tuple[int, int]:
    gone = nbytes = 0
    for start in range(0, len(candidates), _AT_ONCE):
        some = candidates[start : start + _AT_ONCE]
        with store.database.writing(frees=True) as connection:
            # Followed further in this transaction: what was committed since is reached.
            _catch_up(connection, reached)
            for blob in some:
                if blob.digest in reached.blobs:
                    continue
                gone, nbytes = gone + 1, nbytes + blob.size
                if not dry:
                    store.blobs.remove(blob.digest)
    return gone, nbytes


def _catch_up(connection: Connection, reached: _Reached) -> None:
    last = reached.head
    new = list(read_events(connection, after=last.seq))
    if new and last.seq and new[0].previous != last.digest:
        raise RegistryError(
            f"the audit trail was changed during the collection: event {new[0].seq} does not "
            f"follow event {last.seq}; `hotbed registry audit` tells more"
        )
    if new:
        reached.follow(connection, new)


def _files(connection: Connection, name: str, digest: str) -> list[str]:
    content = connection.execute(_MANIFEST, {"digest": digest}).scalar()
    if not isinstance(content, str) or sha256(content.encode()) != digest:
        raise RegistryError(
            f"{name}: its manifest {digest} is damaged or gone, so nobody knows which files it "
            f"needs, and none is removed; `hotbed registry doctor --repair` mends it from a copy"
        )
    try:
        return [entry.sha256 for entry in Manifest.decode(content.encode()).files]
    except CorruptFileError as error:
        raise RegistryError(f"{name}: {error}; no file is removed") from error


def _require_same_versions(connection: Connection, reached: _Reached) -> None:
    """Refuse where the table of versions and the events tell of others: one of both is damaged."""
    query = select(models.c.name, versions.c.version, versions.c.manifest)
    query = query.join(models, models.c.id == versions.c.model_id)
    rows = connection.execute(query.where(versions.c.deleted_at.is_(None)))
    shown = {(row.name, row.version): row.manifest for row in rows}
    odd = sorted({key for key, _ in shown.items() ^ reached.living.items()})
    if odd:
        named = ", ".join(f"{model}@{version}" for model, version in odd[:5])
        raise RegistryError(
            f"the tables and the audit trail tell of other versions ({named}), so no file is "
            f"removed; `hotbed registry doctor --repair` mends the tables"
        )


def _require_known(own: Ownership, dry: bool) -> None:
    if strangers := own.strangers():
        raise RegistryError(
            f"{own.blobs.place} carries no registry's id, and {strangers} of its files were never "
            f"registered in {own.place}: they may be another registry's, so none is removed. If "
            f"all of them are this one's, `hotbed registry adopt` says so"
        )
    if not dry:
        own.mark()


def _require_given_up(
    own: Ownership, lost: list[Head], abandon: Collection[str], spare: list[Blob]
) -> None:
    unnamed = [head for head in lost if str(head) not in abandon]
    if not unnamed:
        return
    last = unnamed[-1]
    nbytes = sum(blob.size for blob in spare)
    options = " ".join(f"--abandon {head}" for head in unnamed)
    raise RegistryError(
        f"{own.blobs.place} was used when its registry had {last.versions} versions and event "
        f"{last.seq} ({last.digest[:12]}…), which {own.place} does not know: this is an older copy "
        f"of the database, or another that took another way since. {len(spare)} files, "
        f"{nbytes:,} bytes, that versions of the other may need would be removed. Put the newer "
        f"database back; if what it knew is to be given up, `hotbed registry gc {options}`"
    )
