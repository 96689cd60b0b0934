"""Delete versions that nothing can reach, and keep those that are in use."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, delete, insert, select, update

from hotbed.errors import RegistryError
from hotbed.registry.events import append, now
from hotbed.registry.finding import find
from hotbed.registry.moves import history_of, stack
from hotbed.registry.registered import Registered
from hotbed.registry.store import Store
from hotbed.registry.tables import aliases, files, leases, versions

__all__ = ["LEASE", "delete_version", "lease"]

_POSTGRESQL_CLOCK = "SELECT extract(epoch FROM clock_timestamp())::float8"
_SQLITE_CLOCK = "SELECT (julianday('now') - 2440587.5) * 86400.0"

LEASE = 3600.0
"""Seconds that a lease lasts unless it is renewed."""


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
        mine, at = versions.c.id == found.id, now()
        connection.execute(update(versions).where(mine).values(deleted_at=at))
        connection.execute(delete(files).where(files.c.version_id == found.id))
        connection.execute(delete(leases).where(leases.c.version_id == found.id))
        payload = {"manifest": found.manifest}
        append(connection, "delete", found.name, found.version, payload, who=who, why=why, at=at)
        return found


def _require_free(connection: Connection, found: Registered, even_if_reachable: bool) -> None:
    problems = []
    named = select(aliases.c.alias).where(aliases.c.version_id == found.id)
    if pointing := list(connection.execute(named).scalars()):
        problems.append(f"the alias {', '.join(pointing)} points to it")
    living = select(leases.c.holder).where(
        leases.c.version_id == found.id, leases.c.expires > _clock(connection)
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


def _clock(connection: Connection) -> float:
    """Seconds since 1970 by the database's clock: the machines that ask it may differ by hours."""
    if connection.dialect.name == "postgresql":
        return float(connection.exec_driver_sql(_POSTGRESQL_CLOCK).scalar_one())
    return float(connection.exec_driver_sql(_SQLITE_CLOCK).scalar_one())


@contextmanager
def lease(
    store: Store, reference: str, holder: str, seconds: float = LEASE
) -> Iterator[Registered]:
    """Keep a version from being deleted while it is in use."""
    name = uuid.uuid4().hex
    with store.database.writing() as connection:
        found = find(connection, reference)
        moment = _clock(connection)
        connection.execute(delete(leases).where(leases.c.expires < moment))
        row = {"id": name, "version_id": found.id, "holder": holder}
        connection.execute(insert(leases).values(**row, expires=moment + seconds))
    try:
        yield found
    finally:
        with store.database.writing() as connection:
            connection.execute(delete(leases).where(leases.c.id == name))
