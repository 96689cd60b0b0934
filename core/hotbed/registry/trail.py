"""The chain of events as it stands in the database, row by row: whatever is odd is a finding.

SQLite keeps any type in any column, so nothing here believes that a row is what was once written.
"""

from __future__ import annotations

import json
from typing import Any

from attrs import define, field
from sqlalchemy import Connection

from hotbed.errors import RegistryError
from hotbed.registry.events import GENESIS, Event
from hotbed.registry.tables import chain, events

__all__ = ["Trail", "raw_rows", "read_trail"]

Row = dict[str, Any]


@define
class Trail:
    """What the chain tells.

    Attributes:
        problems: What is wrong with it; empty for a chain that is whole.
        events: The events, in their order, as far as they can be read.
        recorded: Number and digest of the last event, as recorded apart; None where that is gone.
    """

    problems: list[str] = field(factory=list)
    events: list[Event] = field(factory=list)
    recorded: tuple[int, str] | None = None

    @property
    def head(self) -> tuple[int, str]:
        """Number and digest of the last event."""
        return (self.events[-1].seq, self.events[-1].digest) if self.events else (0, GENESIS)


def read_trail(connection: Connection, known: tuple[int, str] | None = None) -> Trail:
    """Read and check every event.

    Args:
        connection: The database.
        known: A head that was kept elsewhere: the chain has to hold it still.
    """
    trail, previous, seq = Trail(), GENESIS, 0
    for row in raw_rows(connection, events.name, "seq"):
        found = _event(row)
        if isinstance(found, str):
            trail.problems.append(found)
            continue
        trail.problems += [*_links(found, seq, previous), *_newer(found)]
        trail.events.append(found)
        previous, seq = found.digest, found.seq
    _check_record(connection, trail)
    heads = {(0, GENESIS), *((event.seq, event.digest) for event in trail.events)}
    if known is not None and known not in heads:
        trail.problems.append(
            f"the audit trail does not hold event {known[0]} with digest {known[1]}, which was "
            f"kept elsewhere: it was cut off or rewritten"
        )
    return trail


def raw_rows(connection: Connection, table: str, order: str = "") -> list[Row]:
    """The rows of a table as the driver gives them, without any belief in their types."""
    order = f" ORDER BY {order}" if order else ""
    statement = f"SELECT * FROM {table}{order}"  # noqa: S608 - names of our own tables
    driver: Any = connection.connection.driver_connection
    lenient = connection.dialect.name == "sqlite"
    if lenient:
        driver.text_factory = lambda content: content.decode("utf-8", "surrogateescape")
    try:
        return [dict(row._mapping) for row in connection.exec_driver_sql(statement)]
    finally:
        if lenient:
            driver.text_factory = str


def _event(row: Row) -> Event | str:
    """An event, or what is wrong with its row."""
    named = f"event {row.get('seq')!r:.40}"
    odd = [
        name
        for name, value in row.items()
        if not isinstance(value, int if name == "seq" else str) or isinstance(value, bool)
    ]
    if odd:
        return f"{named} was edited: its {', '.join(odd)} is of another type"
    try:
        payload = json.loads(row["payload"])
    except (ValueError, RecursionError) as error:
        return f"{named} was edited: its payload cannot be read: {error!s:.80}"
    if not isinstance(payload, dict):
        return f"{named} was edited: its payload is no object"
    return Event(**{**row, "payload": payload})


def _links(found: Event, seq: int, previous: str) -> list[str]:
    named = f"event {found.seq} ({found.kind} {found.model} {found.subject}"
    if found.seq != seq + 1:
        return [f"the audit trail lacks event {seq + 1}: {found.seq} follows {seq}"]
    if found.previous != previous:
        other = "follows another event than the one before it"
        return [f"{named}) {other}: something was edited, removed or moved"]
    try:
        computed = found.computed()
    except (ValueError, RecursionError) as error:
        computed = f"none: {error!s:.60}"
    if found.digest != computed:
        edited = f"{named}, {found.at}) was edited: its digest is {found.digest}"
        return [f"{edited}, and its content has {computed}"]
    return []


def _newer(found: Event) -> list[str]:
    try:
        found.require_known()
    except RegistryError as error:
        return [str(error)]
    return []


def _check_record(connection: Connection, trail: Trail) -> None:
    rows = raw_rows(connection, chain.name, "id")
    if len(rows) != 1 or rows[0]["id"] != 1:
        trail.problems.append(
            f"the record of where the audit trail ends has {len(rows)} rows "
            f"({', '.join(str(row['id']) for row in rows) or 'none'}) instead of one"
        )
        return
    trail.recorded = (rows[0]["seq"], rows[0]["digest"])
    if trail.recorded != trail.head:
        trail.problems.append(
            f"the audit trail ends at event {trail.head[0]}, and {trail.recorded[0]} were recorded"
        )
