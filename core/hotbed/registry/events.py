"""The audit trail: one chain of events, each of which holds the digest of the one before.

Who edits, removes or reorders an event breaks the chain behind it. Who rewrites the whole chain,
or cuts off its end together with the record of its head, leaves a chain that is sound in itself:
against that, keep ``head()`` somewhere else now and then, and hand it to ``audit``.
"""

from __future__ import annotations

import datetime
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from attrs import frozen
from sqlalchemy import Connection, func, insert, select, update

from hotbed.errors import RegistryError
from hotbed.formats import require_version
from hotbed.registry.manifest import canonical
from hotbed.registry.schema import keep_text
from hotbed.registry.tables import chain, events

__all__ = ["CHANNEL", "GENESIS", "Event", "append", "head", "now", "read_events"]

CHANNEL = "hotbed_registry"
"""Where PostgreSQL tells of each event once it is committed; the message is the model's name."""

_VERSION = 1
"""Of an event, under ``event`` in its payload; earlier ones say none."""

GENESIS = "0" * 64
"""What the first event names as its predecessor."""


@frozen(kw_only=True)
class Event:
    """Something that happened.

    Attributes:
        seq: Its number, from 1, without gaps.
        at: When, in UTC, ISO 8601.
        who: Who did it.
        why: Their reason; ``""`` where they gave none.
        kind: ``register``, ``promote``, ``rollback``, ``annotate``, ``deprecate``, ``delete``, …
        model: The model.
        subject: The version or alias.
        payload: The rest, by kind.
        previous: Digest of the event before.
        digest: Of this one.
    """

    seq: int
    at: str
    who: str
    why: str
    kind: str
    model: str
    subject: str
    payload: Mapping[str, Any]
    previous: str
    digest: str

    def computed(self) -> str:
        """The digest that its content has."""
        content = [self.seq, self.at, self.who, self.why, self.kind, self.model, self.subject]
        return hashlib.sha256(canonical([*content, self.payload, self.previous])).hexdigest()

    def require_known(self) -> None:
        """Refuse an event that means what this hotbed does not know.

        Raises:
            RegistryError: A later hotbed wrote it.
        """
        try:
            require_version({"version": self.payload.get("event", _VERSION)}, "event", _VERSION)
        except ValueError as error:
            named = f"event {self.seq} ({self.kind} {self.model} {self.subject})"
            raise RegistryError(f"{named} cannot be read: {error}") from error


def now() -> str:
    """This moment in UTC, to the microsecond."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="microseconds")


_HEAD = select(chain.c.seq, chain.c.digest).where(chain.c.id == 1)
_APPEND = insert(events)
_MOVE_HEAD = update(chain).where(chain.c.id == 1)
# Statements are built once: building one costs more than running it.


def append(
    connection: Connection,
    kind: str,
    model: str,
    subject: str,
    payload: Mapping[str, Any],
    *,
    who: str,
    why: str,
    at: str = "",
) -> Event:
    """Add an event to the chain, in the transaction that does what it tells."""
    who, why = keep_text("who", who), keep_text("why", why)
    payload = {**payload, "event": _VERSION}
    seq, previous = head(connection)
    new = Event(
        seq=seq + 1,
        at=at or now(),
        who=who,
        why=why,
        kind=kind,
        model=model,
        subject=subject,
        payload=payload,
        previous=previous,
        digest="",
    )
    digest = new.computed()
    row = {name: getattr(new, name) for name in ("seq", "at", "who", "why", "kind", "model")}
    row |= {"subject": subject, "payload": canonical(payload).decode(), "previous": previous}
    connection.execute(_APPEND, {**row, "digest": digest})
    connection.execute(_MOVE_HEAD, {"seq": new.seq, "digest": digest})
    if connection.dialect.name == "postgresql":
        connection.execute(select(func.pg_notify(CHANNEL, model)))
    return Event(**{**row, "payload": payload, "digest": digest})


def head(connection: Connection) -> tuple[int, str]:
    """The number and the digest of the last event."""
    row = connection.execute(_HEAD).first()
    if row is None:
        raise RegistryError(
            "the record of where the audit trail ends is gone: something was removed from the "
            "database; put a copy of it back"
        )
    return row.seq, row.digest


def read_events(
    connection: Connection,
    model: str | None = None,
    kinds: Iterable[str] = (),
    subject: str | None = None,
    after: int = 0,
) -> Iterator[Event]:
    """Every event, the oldest first; of one model, of some kinds, of one version or alias."""
    query = select(events).order_by(events.c.seq)
    if after:
        query = query.where(events.c.seq > after)
    if model is not None:
        query = query.where(events.c.model == model)
    if subject is not None:
        query = query.where(events.c.subject == subject)
    if wanted := list(kinds):
        query = query.where(events.c.kind.in_(wanted))
    for row in connection.execute(query):
        values = row._asdict()
        found = Event(**{**values, "payload": json.loads(values["payload"])})
        found.require_known()
        yield found
