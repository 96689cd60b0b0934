"""Aliases: pointers with a history. Every move is an event, and a rollback is one more.

An alias is a stack: a promotion puts a version on it, a rollback takes one off. So two rollbacks
in a row go two promotions back, a rollback never goes back along a rollback, and what was taken
off is not lost: it can be promoted again.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable

from attrs import frozen
from sqlalchemy import Connection, delete, insert, select

from hotbed.errors import IncompatibleError, NotRegisteredError, RegistryError, UsageError
from hotbed.registry.events import Event, append, read_events
from hotbed.registry.finding import below, find, find_model, full
from hotbed.registry.names import require_alias
from hotbed.registry.registered import Registered, split
from hotbed.registry.store import Store
from hotbed.registry.tables import aliases
from hotbed.registry.versions import Requirement

__all__ = [
    "MOVES",
    "Move",
    "alias_at",
    "history",
    "previous",
    "promote",
    "rollback",
    "stack",
    "unset",
]

MOVES = ("promote", "rollback", "unset")


@frozen(kw_only=True)
class Move:
    """A move of an alias.

    Attributes:
        seq: Number of its event.
        at: When.
        kind: ``promote``, ``rollback`` or ``unset``.
        alias: The alias.
        version: Where it points afterwards; ``""`` for nowhere.
        manifest: The manifest there.
        before: Where it pointed.
        who: Who moved it.
        why: Their reason.
    """

    seq: int
    at: str
    kind: str
    alias: str
    version: str
    manifest: str
    before: str
    who: str
    why: str


def promote(
    store: Store, reference: str, alias: str, *, who: str, why: str, allow_incompatible: bool
) -> Registered:
    """Point an alias to a version; where it points there already, nothing happens.

    Raises:
        IncompatibleError: Vectors of the new version do not mix with those of the old one.
    """
    require_alias(alias)
    with store.database.writing() as connection:
        new = find(connection, reference)
        _require_one_spelling(connection, new.name, alias)
        old = _pointed(connection, new.name, alias)
        if old is not None and old.id == new.id:
            return full(connection, new)
        if old is not None and not allow_incompatible:
            _require_compatible(old, new, alias)
        _point(connection, "promote", alias, old, new, who=who, why=why)
        return full(connection, new)


def rollback(store: Store, name: str, alias: str, *, who: str, why: str) -> Registered:
    """Point an alias to what was promoted before.

    Raises:
        RegistryError: Nothing was promoted before.
    """
    with store.database.writing() as connection:
        old = _pointed(connection, name, alias)
        if old is None:
            raise NotRegisteredError(f"{name} has no alias {alias!r}, so there is nothing to undo")
        new = _before(connection, name, alias)
        if new is None:
            raise RegistryError(
                f"{name}@{alias} points to {old.version}, and nothing was promoted before it that "
                f"is there still; promote another version instead"
            )
        _point(connection, "rollback", alias, old, new, who=who, why=why)
        return full(connection, new)


def unset(store: Store, name: str, alias: str, *, who: str, why: str) -> None:
    """Remove an alias; its history stays."""
    with store.database.writing() as connection:
        old = _pointed(connection, name, alias)
        if old is None:
            raise NotRegisteredError(f"{name} has no alias {alias!r}")
        _clear(connection, name, alias)
        payload = {"alias": alias, "version": "", "manifest": "", "before": old.version}
        append(connection, "unset", name, alias, payload, who=who, why=why)


def history(store: Store, name: str, alias: str | None = None) -> list[Move]:
    """Every move of a model's aliases, or of one, the oldest first."""
    with store.database.reading() as connection:
        find_model(connection, name)
        return history_of(connection, name, alias)


def history_of(connection: Connection, name: str, alias: str | None) -> list[Move]:
    """The same, in a transaction."""
    return [_move(found) for found in read_events(connection, name, MOVES, alias)]


def alias_at(store: Store, name: str, alias: str, at: str) -> str:
    """Where an alias pointed at some time; ``""`` for nowhere.

    Args:
        store: The registry.
        name: The model.
        alias: The alias.
        at: ISO 8601; without a zone UTC is meant.
    """
    import datetime

    try:
        moment = datetime.datetime.fromisoformat(at)
    except ValueError as error:
        raise UsageError(
            f"{at!r} is no time, as 2026-11-30 or 2026-11-30T14:05:00+01:00"
        ) from error
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=datetime.UTC)
    before = [
        move
        for move in history(store, name, alias)
        if datetime.datetime.fromisoformat(move.at) <= moment
    ]
    return before[-1].version if before else ""


def previous(store: Store, reference: str) -> Registered:
    """What served before: of an alias, where a rollback would lead; else the next lower version.

    Raises:
        NotRegisteredError: There is nothing before it.
    """
    name, wanted = split(reference)
    with store.database.reading() as connection:
        if Requirement.parse(wanted) is not None:
            return below(connection, find(connection, reference))
        found = _before(connection, name, wanted)
        if found is None:
            raise NotRegisteredError(f"nothing was promoted to {reference} before what is there")
        return found


def _before(connection: Connection, name: str, alias: str) -> Registered | None:
    """What was promoted before the present one and was not deleted since; None for nothing."""
    for version in reversed(stack(history_of(connection, name, alias))[:-1]):
        with contextlib.suppress(NotRegisteredError):  # it was deleted
            return find(connection, f"{name}@{version}")
    return None


def stack(moves: Iterable[Move]) -> list[str]:
    """The versions that rollbacks can still reach, the present one last."""
    found: list[str] = []
    for move in moves:
        if move.kind == "promote":
            found.append(move.version)
        elif move.kind == "rollback":
            found.pop()
            while found and found[-1] != move.version:  # deleted, so it went further back
                found.pop()
        else:
            found.clear()
    return found


def _pointed(connection: Connection, name: str, alias: str) -> Registered | None:
    require_alias(alias)
    model_id = find_model(connection, name)
    mine = select(aliases.c.version_id).where(
        aliases.c.model_id == model_id, aliases.c.alias == alias
    )
    if connection.execute(mine).scalar() is None:
        return None
    return find(connection, f"{name}@{alias}")


def _require_one_spelling(connection: Connection, name: str, alias: str) -> None:
    """Refuse an alias that differs from another of the model in case only.

    Raises:
        UsageError: It does.
    """
    mine = select(aliases.c.alias).where(aliases.c.model_id == find_model(connection, name))
    for other in connection.execute(mine).scalars():
        if other != alias and other.casefold() == alias.casefold():
            raise UsageError(f"the alias {alias!r} differs from {other!r} in case only")


def _point(
    connection: Connection,
    kind: str,
    alias: str,
    old: Registered | None,
    new: Registered,
    *,
    who: str,
    why: str,
) -> None:
    _clear(connection, new.name, alias)
    row = {"model_id": find_model(connection, new.name), "alias": alias, "version_id": new.id}
    connection.execute(insert(aliases).values(**row, manifest=new.manifest))
    payload = {
        "alias": alias,
        "version": new.version,
        "manifest": new.manifest,
        "before": "" if old is None else old.version,
    }
    append(connection, kind, new.name, alias, payload, who=who, why=why)


def _clear(connection: Connection, name: str, alias: str) -> None:
    model_id = find_model(connection, name)
    mine = (aliases.c.model_id == model_id) & (aliases.c.alias == alias)
    connection.execute(delete(aliases).where(mine))


def _require_compatible(old: Registered, new: Registered, alias: str) -> None:
    changed = []
    if old.dimension != new.dimension:
        changed.append(f"vectors have {new.dimension} numbers instead of {old.dimension}")
    if old.tokenizer != new.tokenizer:
        changed.append("the tokenizer is another")
    if changed:
        raise IncompatibleError(
            f"{new.name}@{alias} would move from {old.version} to {new.version}, and "
            f"{' and '.join(changed)}: vectors of the two do not mix, so an index that was built "
            f"with {old.version} has to be built anew first. --allow-incompatible "
            f"(allow_incompatible=True) moves it"
        )


def _move(found: Event) -> Move:
    payload = found.payload
    return Move(
        seq=found.seq,
        at=found.at,
        kind=found.kind,
        alias=payload["alias"],
        version=payload["version"],
        manifest=payload["manifest"],
        before=payload["before"],
        who=found.who,
        why=found.why,
    )
