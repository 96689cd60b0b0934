"""What is said of a version and may change: every change is an event."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from attrs import field, frozen
from attrs.converters import optional
from sqlalchemy import Connection, delete, insert, update

from hotbed.errors import UsageError
from hotbed.registry.events import append
from hotbed.registry.finding import find, full
from hotbed.registry.registered import Registered
from hotbed.registry.schema import keep_metrics, keep_tags, keep_text
from hotbed.registry.store import Store
from hotbed.registry.tables import metrics, tags, versions

__all__ = ["TEXTS", "Notes", "annotate", "deprecate", "deprecate_in", "write_pairs"]


TEXTS = ("description", "domain", "licence")


def _description(value: object) -> str:
    return keep_text("the description", value)


def _domain(value: object) -> str:
    return keep_text("the domain", value)


def _license(value: object) -> str:
    return keep_text("the license note", value)


@frozen(kw_only=True)
class Notes:
    """What is said; None leaves as it is.

    Attributes:
        description: What people say of it.
        domain: What it is for.
        licence: A note on its licence.
        tags: Name → value; None as a value removes the tag.
        metrics: Name → number; None removes it.
    """

    description: str | None = field(default=None, converter=optional(_description))
    domain: str | None = field(default=None, converter=optional(_domain))
    licence: str | None = field(default=None, converter=optional(_license))
    tags: Mapping[str, str | None] = field(factory=dict, converter=keep_tags)
    metrics: Mapping[str, float | None] = field(factory=dict, converter=keep_metrics)

    def said(self) -> dict[str, Any]:
        """What is said, as plain values."""
        texts = {name: getattr(self, name) for name in TEXTS}
        found: dict[str, Any] = {name: text for name, text in texts.items() if text is not None}
        if self.tags:
            found["tags"] = dict(self.tags)
        if self.metrics:
            found["metrics"] = dict(self.metrics)
        return found


def annotate(store: Store, reference: str, notes: Notes, *, who: str, why: str) -> Registered:
    """Change what is said of a version."""
    if not notes.said():
        raise UsageError("nothing to say: give a description, domain, licence, tags or metrics")
    with store.database.writing() as connection:
        found = find(connection, reference)
        said = notes.said()
        texts = {name: said[name] for name in TEXTS if name in said}
        if texts:
            mine = update(versions).where(versions.c.id == found.id)
            connection.execute(mine.values(**texts))
        write_pairs(connection, found.id, notes)
        append(connection, "annotate", found.name, found.version, said, who=who, why=why)
        return full(connection, find(connection, str(found)))


def deprecate(
    store: Store, reference: str, message: str | None, *, who: str, why: str
) -> Registered:
    """Say why nobody should use a version any more; loading it shows that. None takes it back."""
    message = None if message is None else keep_text("the deprecation", message)
    if message is not None and not message.strip():
        raise UsageError("a deprecation says why, and what to use instead")
    with store.database.writing() as connection:
        found = find(connection, reference)
        deprecate_in(connection, found, message, who=who, why=why)
        return full(connection, find(connection, str(found)))


def deprecate_in(
    connection: Connection, found: Registered, message: str | None, *, who: str, why: str
) -> None:
    """The same, in the caller's transaction."""
    change = update(versions).where(versions.c.id == found.id).values(deprecated=message)
    connection.execute(change)
    payload = {"message": message}
    append(connection, "deprecate", found.name, found.version, payload, who=who, why=why)


def write_pairs(connection: Connection, version_id: int, notes: Notes) -> dict[str, dict[str, Any]]:
    """Write tags and metrics, in the caller's transaction; gives those that are there now."""
    said = notes.said()
    written: dict[str, dict[str, Any]] = {}
    for table in (tags, metrics):
        written[table.name] = {}
        for name, value in said.get(table.name, {}).items():
            mine = (table.c.version_id == version_id) & (table.c.name == name)
            connection.execute(delete(table).where(mine))
            if value is not None:
                row = {"version_id": version_id, "name": name, "value": value}
                connection.execute(insert(table), row)
                written[table.name][name] = value
    return written
