"""Write the tables anew from what proves them: the chain of events, the manifests, the store's id.

The chain itself and the manifests are never written here: what is wrong with them stays a finding.
Rows of versions keep their numbers where their names are right, because leases name them. Leases
on rows that no event tells of go with those rows: they protect files of no version.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Table, delete, insert, select, update

from hotbed.errors import CorruptFileError
from hotbed.registry.auditing import findings
from hotbed.registry.derived import DERIVED, Expected, Key, present
from hotbed.registry.ownership import read_marker
from hotbed.registry.store import Store
from hotbed.registry.tables import (
    aliases,
    files,
    leases,
    metrics,
    models,
    registry,
    tags,
    versions,
)
from hotbed.registry.trail import Trail, raw_rows

__all__ = ["rebuild"]

_LINKS = ("model_id", "version_id", "parent_id")


def rebuild(store: Store) -> None:
    """Write the derived tables and the registry's id anew, as far as they are proven."""
    with store.database.writing() as connection:
        found = findings(connection)
        if found.trail.problems:
            return
        if not _identity_is_sound(connection):
            _write_identity(store, connection, found.trail)
        if found.expected.is_proven and found.problems:
            _write_tables(connection, found.expected)


def _identity_is_sound(connection: Connection) -> bool:
    rows = raw_rows(connection, registry.name)
    return len(rows) == 1 and isinstance(rows[0]["identity"], str) and rows[0]["id"] == 1


def _write_identity(store: Store, connection: Connection, trail: Trail) -> None:
    """Take the id of a store that remembers this chain and no other."""
    try:
        owner = read_marker(store.blobs)
    except CorruptFileError:
        return
    known = {(event.seq, event.digest) for event in trail.events}
    heads = {(head.seq, head.digest) for head in store.ownership.heads()}
    if owner is None or len(owner) != 32 or not heads or not heads <= known:
        return
    connection.execute(delete(registry))
    connection.execute(insert(registry).values(id=1, identity=owner))


def _write_tables(connection: Connection, expected: Expected) -> None:
    there = present(connection)
    for table in (aliases, files, tags, metrics):
        connection.execute(delete(table))
    connection.execute(update(versions).values(parent_id=None))
    # Everything that nobody tells of goes first: it may hold a name that somebody else has.
    named = {table.name: _kept(connection, table, there, expected) for table in (models, versions)}
    for table in (models, versions):
        for key, row in expected.tables[table.name].items():
            values = _linked({**row, "parent_id": None} if table is versions else row, named)
            if key in named[table.name]:
                mine = update(table).where(table.c.id == named[table.name][key])
                connection.execute(mine.values(values))
            else:
                made = connection.execute(insert(table).values(values)).inserted_primary_key
                assert made is not None  # every table has one
                named[table.name][key] = int(made[0])
    for key, row in expected.tables["versions"].items():
        if row["parent_id"] is not None:
            mine = update(versions).where(versions.c.id == named["versions"][key])
            connection.execute(mine.values(parent_id=named["versions"][row["parent_id"]]))
    for table in DERIVED:
        rows = [_linked(row, named) for row in expected.tables[table.name].values()]
        if table not in (models, versions) and rows:
            connection.execute(insert(table), rows)


def _kept(
    connection: Connection, table: Table, there: dict[str, Any], expected: Expected
) -> dict[Key, int]:
    """Numbers of rows by their keys; rows that nobody tells of are removed."""
    kept: dict[Key, int] = {}
    for key, row in there[table.name]:
        if key in expected.tables[table.name] and key not in kept:
            kept[key] = row["id"]
    spare = [row["id"] for _, row in there[table.name] if row["id"] not in kept.values()]
    if table is models:  # their versions go before them
        odd = select(versions.c.id).where(versions.c.model_id.in_(spare))
        spare_versions = list(connection.execute(odd).scalars())
        _remove(connection, versions, spare_versions)
    _remove(connection, table, spare)
    return kept


def _remove(connection: Connection, table: Table, ids: list[int]) -> None:
    if table is versions:
        connection.execute(delete(leases).where(leases.c.version_id.in_(ids)))
    connection.execute(delete(table).where(table.c.id.in_(ids)))


def _linked(row: dict[str, Any], named: dict[str, dict[Key, int]]) -> dict[str, Any]:
    """A row with numbers in place of names."""
    linked = dict(row)
    for column in _LINKS:
        name = row.get(column)
        if name is not None:
            key = (name,) if column == "model_id" else name
            linked[column] = named["models" if column == "model_id" else "versions"][key]
    return linked
