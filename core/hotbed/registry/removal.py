"""Delete versions, and collect the blobs that nothing reaches any more.

Both happen inside the writing transaction, as commits do. A blob that a writer has stored and not
yet committed may be collected; the writer's commit finds that out and stores it again.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

from attrs import frozen
from sqlalchemy import Connection, delete, insert, select, update

from hotbed.errors import RegistryError
from hotbed.registry.events import append, now
from hotbed.registry.finding import find
from hotbed.registry.moves import history_of, stack
from hotbed.registry.registered import Registered
from hotbed.registry.store import Store
from hotbed.registry.tables import aliases, files, leases, versions

__all__ = ["GRACE", "Collected", "collect", "delete_version", "lease"]

_AT_ONCE = 200
"""Blobs that are removed in one transaction: writers wait meanwhile."""

GRACE = 3600.0
"""Seconds that a blob stays after somebody wanted it."""

LEASE = 3600.0
"""Seconds that a lease lasts unless it is renewed."""


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


def delete_version(
    store: Store, reference: str, *, who: str, why: str, even_if_reachable: bool
) -> Registered:
    """Delete a version. Its number is never used again, and the audit trail keeps what it was.

    Raises:
        RegistryError: An alias, a lease, a descendant, or a rollback could reach it.
    """
    with store.database.writing(frees=True) as connection:
        found = find(connection, reference)
        _require_free(connection, found, even_if_reachable)
        mine = versions.c.id == found.id
        connection.execute(update(versions).where(mine).values(deleted_at=now()))
        connection.execute(delete(files).where(files.c.version_id == found.id))
        connection.execute(delete(leases).where(leases.c.version_id == found.id))
        payload = {"manifest": found.manifest}
        append(connection, "delete", found.name, found.version, payload, who=who, why=why)
        return found


def _require_free(connection: Connection, found: Registered, even_if_reachable: bool) -> None:
    problems = []
    named = select(aliases.c.alias).where(aliases.c.version_id == found.id)
    if pointing := list(connection.execute(named).scalars()):
        problems.append(f"the alias {', '.join(pointing)} points to it")
    living = select(leases.c.holder).where(
        leases.c.version_id == found.id, leases.c.expires > time.time()
    )
    if holders := list(connection.execute(living).scalars()):
        problems.append(f"{', '.join(holders)} holds a lease on it")
    children = select(versions.c.version).where(
        versions.c.parent_id == found.id, versions.c.deleted_at.is_(None)
    )
    if descendants := list(connection.execute(children).scalars()):
        problems.append(f"{', '.join(descendants)} was made from it")
    moves = history_of(connection, found.name, None)
    reaching = sorted(
        alias
        for alias in {move.alias for move in moves}
        if found.version in stack(move for move in moves if move.alias == alias)[:-1]
    )
    if reaching and not even_if_reachable:
        problems.append(
            f"a rollback of {', '.join(reaching)} could reach it (--even-if-reachable deletes it)"
        )
    if problems:
        raise RegistryError(f"{found} stays: {'; '.join(problems)}")


def collect(store: Store, *, dry: bool = False, older_than: float = GRACE) -> Collected:
    """Remove the blobs that no version reaches.

    Args:
        store: The registry.
        dry: Whether only to count them.
        older_than: Seconds since a blob was last wanted. What a writer has stored and not yet
            committed is younger, so writers need not store it twice. Nothing else depends on it.
    """
    before = time.time() - older_than
    gone = nbytes = 0
    candidates = [blob for blob in store.blobs if blob.wanted <= before]
    for start in range(0, len(candidates), _AT_ONCE):
        some = {blob.digest: blob.size for blob in candidates[start : start + _AT_ONCE]}
        with store.database.writing(frees=True) as connection:
            # Asked anew in this transaction: what was committed since is reached.
            spare = set(some) - _reached(connection, list(some))
            for digest in spare:
                gone, nbytes = gone + 1, nbytes + some[digest]
                if not dry:
                    store.blobs.remove(digest)
    if not dry:
        store.blobs.tidy(max(older_than, GRACE))
    return Collected(blobs=gone, nbytes=nbytes, dry=dry)


def _reached(connection: Connection, digests: list[str]) -> set[str]:
    held = select(files.c.sha256).where(files.c.sha256.in_(digests)).distinct()
    return set(connection.execute(held).scalars())


@contextmanager
def lease(
    store: Store, reference: str, holder: str, seconds: float = LEASE
) -> Iterator[Registered]:
    """Keep a version from being deleted while it is in use."""
    name = uuid.uuid4().hex
    with store.database.writing() as connection:
        found = find(connection, reference)
        expired = leases.c.expires < time.time()
        connection.execute(delete(leases).where(expired))
        row = {"id": name, "version_id": found.id, "holder": holder}
        connection.execute(insert(leases).values(**row, expires=time.time() + seconds))
    try:
        yield found
    finally:
        with store.database.writing() as connection:
            connection.execute(delete(leases).where(leases.c.id == name))
