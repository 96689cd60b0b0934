"""Check that the chain of events is whole, and that every column of every table follows from it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from attrs import frozen
from sqlalchemy import Connection
from sqlalchemy.exc import DatabaseError

from hotbed.errors import RegistryError
from hotbed.registry.derived import DERIVED, Expected, Key, derive, present
from hotbed.registry.store import Store
from hotbed.registry.tables import leases, registry
from hotbed.registry.trail import Trail, raw_rows, read_trail

__all__ = ["Audited", "Findings", "audit", "findings"]

_SHOWN = 20


@frozen(kw_only=True)
class Audited:
    """A trail that is sound.

    Attributes:
        events: How many.
        head: Number and digest of the last: keep it elsewhere, and hand it to the next audit.
    """

    events: int
    head: tuple[int, str]


@frozen(kw_only=True)
class Findings:
    """What is wrong.

    Attributes:
        trail: The chain.
        expected: What the tables have to hold.
        problems: Everything that is wrong, in words.
    """

    trail: Trail
    expected: Expected
    problems: tuple[str, ...]


def audit(store: Store, known: tuple[int, str] | None = None) -> Audited:
    """Check everything.

    Raises:
        RegistryError: The chain is broken, or a table says something else; what, is named.
    """
    try:
        with store.database.reading() as connection:
            found = findings(connection, known)
    except DatabaseError as error:
        raise RegistryError(f"the database of {store.place} is damaged: {error.orig}") from error
    if found.problems:
        count, listed = len(found.problems), "\n  ".join(found.problems[:_SHOWN])
        things = "1 thing is not as the audit trail tells it" if count == 1 else ""
        things = things or f"{count} things are not as the audit trail tells them"
        raise RegistryError(f"{things}:\n  {listed}")
    return Audited(events=len(found.trail.events), head=found.trail.head)


def findings(connection: Connection, known: tuple[int, str] | None = None) -> Findings:
    """Recompute every row from the events and the manifests, and compare."""
    trail = read_trail(connection, known)
    expected = derive(connection, trail.events)
    problems = [*trail.problems, *expected.problems]
    problems += _differences(connection, expected)
    problems += _of_identity(connection)
    problems += _of_leases(connection)
    return Findings(trail=trail, expected=expected, problems=tuple(problems))


def _differences(connection: Connection, expected: Expected) -> Iterator[str]:
    found = present(connection)
    for table in DERIVED:
        wanted, seen = expected.tables[table.name], set()
        for key, row in found[table.name]:
            seen.add(key)
            if expected.unknown.intersection((key, key[:2])):
                continue
            if key not in wanted:
                yield f"{_named(table.name, key)} is in the tables, and the trail tells of none"
                continue
            for column in [column.name for column in table.columns if column.name != "id"]:
                if not _same(row[column], wanted[key].get(column, _Underived)):
                    yield _difference(table.name, key, column, row, wanted[key])
        for key in wanted:
            if key not in seen:
                yield _missing(table.name, key, wanted[key])


class _Underived:
    """Stands for a column that nothing derives, and equals no value."""


def _same(here: Any, there: Any) -> bool:
    if isinstance(there, bool) and isinstance(here, int):
        return bool(here) == there and here in (0, 1)
    if isinstance(there, float) and isinstance(here, int | float):
        return float(here) == there
    return type(here) is type(there) and bool(here == there)


def _named(table: str, key: Key) -> str:
    texts = [str(part) for part in key]
    if table in ("models",):
        return f"the model {texts[0]}"
    name = "@".join(texts[:2])
    return name if len(texts) == 2 else f"{name}: {table} {texts[2]}"


def _difference(
    table: str, key: Key, column: str, here: dict[str, Any], there: dict[str, Any]
) -> str:
    name = _named(table, key)
    if table == "aliases" and column == "version_id":
        return f"{name} points to {_version(here)}, and the trail tells {_version(there)}"
    said = f"{here[column]!r:.80}, and the trail tells {there.get(column)!r:.80}"
    return f"{name} has {column} {said}" if len(key) > 2 else f"{name}: {column} is {said}"


def _missing(table: str, key: Key, row: dict[str, Any]) -> str:
    name = _named(table, key)
    if table == "aliases":
        return f"{name} points to nothing, and the trail tells {_version(row)}"
    return f"{name} was registered, and is gone"


def _version(row: dict[str, Any]) -> str:
    found = row["version_id"]
    return str(found[1]) if isinstance(found, tuple) else f"row {found!r:.40}, which is gone"


def _of_identity(connection: Connection) -> list[str]:
    rows = raw_rows(connection, registry.name)
    ids = [row["identity"] for row in rows]
    sound = len(ids) == 1 and isinstance(ids[0], str) and len(ids[0]) == 32 and rows[0]["id"] == 1
    return [] if sound else [f"the registry has {len(ids)} ids instead of one: {ids!r:.100}"]


def _of_leases(connection: Connection) -> Iterator[str]:
    """Leases are nobody's history: they have to be of the right types, and on a version."""
    known = {row["id"] for row in raw_rows(connection, "versions")}
    for row in raw_rows(connection, leases.name):
        texts = isinstance(row["id"], str) and isinstance(row["holder"], str)
        if not texts or not isinstance(row["expires"], float) or row["version_id"] not in known:
            yield f"the lease {row['id']!r:.60} of {row['holder']!r:.60} cannot be used"
