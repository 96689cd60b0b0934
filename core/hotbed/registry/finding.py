"""From what a user wrote to a version: by its number, by a range, by an alias."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from attrs import evolve
from sqlalchemy import (
    Connection,
    Float,
    Row,
    Select,
    Table,
    Text,
    and_,
    bindparam,
    cast,
    literal,
    null,
    select,
    union_all,
)

from hotbed.errors import NotRegisteredError
from hotbed.registry.registered import Registered, split
from hotbed.registry.tables import aliases, metrics, models, tags, versions
from hotbed.registry.versions import Requirement

__all__ = ["below", "find", "find_model", "full", "full_all", "read_row"]


def find(connection: Connection, reference: str) -> Registered:
    """Find the version that a reference means.

    Raises:
        NotRegisteredError: There is none; the message says what there is.
    """
    name, wanted = split(reference)
    model_id = find_model(connection, name)
    requirement = Requirement.parse(wanted)
    query = select(versions).where(versions.c.model_id == model_id)
    if requirement is None:
        mine = and_(aliases.c.model_id == model_id, aliases.c.alias == wanted)
        query = query.join(aliases, aliases.c.version_id == versions.c.id).where(mine)
    elif requirement.exact:
        query = query.where(versions.c.version == wanted, versions.c.deleted_at.is_(None))
    else:
        query = query.where(versions.c.prerelease.is_(False), versions.c.deleted_at.is_(None))
        if requirement.low:
            query = query.where(versions.c.key >= requirement.low)
        if requirement.high:
            query = query.where(versions.c.key < requirement.high)
        query = query.order_by(versions.c.key.desc())
    row = connection.execute(query.limit(1)).first()
    if row is None:
        raise NotRegisteredError(_what_there_is(connection, model_id, name, wanted))
    return read_row(name, row)


def below(connection: Connection, found: Registered) -> Registered:
    """The next lower stable version of the same model.

    Raises:
        NotRegisteredError: There is none.
    """
    model_id = find_model(connection, found.name)
    query = (
        select(versions)
        .where(versions.c.model_id == model_id, versions.c.prerelease.is_(False))
        .where(versions.c.key < found.key, versions.c.deleted_at.is_(None))
        .order_by(versions.c.key.desc())
    )
    row = connection.execute(query.limit(1)).first()
    if row is None:
        raise NotRegisteredError(f"no stable version of {found.name} is below {found.version}")
    return read_row(found.name, row)


def find_model(connection: Connection, name: str) -> int:
    """The row of a model.

    Raises:
        NotRegisteredError: There is none of that name; the message says which there are.
    """
    found = connection.execute(select(models.c.id).where(models.c.name == name)).scalar()
    if found is not None:
        return int(found)
    known = connection.execute(select(models.c.name).order_by(models.c.name).limit(6)).scalars()
    listed = ", ".join(known) or "none"
    raise NotRegisteredError(f"no model is called {name!r} in this registry; there is {listed}")


def full(connection: Connection, found: Registered) -> Registered:
    """The same with tags, metrics and aliases."""
    return full_all(connection, [found])[0]


def full_all(connection: Connection, found: Sequence[Registered]) -> list[Registered]:
    """The same with tags, metrics and aliases: one statement for up to 300 versions."""
    said: dict[tuple[str, int], list[tuple[str, Any]]] = {}
    ids = [one.id for one in found]
    for start in range(0, len(ids), _AT_ONCE):
        rows = connection.execute(_SAID, {"ids": ids[start : start + _AT_ONCE]})
        for kind, version, name, value, number in rows:
            said.setdefault((kind, version), []).append((name, number if value is None else value))

    def pairs(kind: str, one: Registered) -> list[tuple[str, Any]]:
        return sorted(said.get((kind, one.id), ()))

    return [
        evolve(
            one,
            tags=dict(pairs("tag", one)),
            metrics=dict(pairs("metric", one)),
            aliases=tuple(name for name, _ in pairs("alias", one)),
        )
        for one in found
    ]


def _of_kind(kind: str, table: Table, name: Any, value: Any, number: Any) -> Select[Any]:
    mine = table.c.version_id.in_(bindparam("ids", expanding=True))
    return select(literal(kind), table.c.version_id, name, value, number).where(mine)


_AT_ONCE = 300
"""Versions in one statement: old SQLite takes 999 values, and ``ids`` stands there three times."""

_NO_TEXT, _NO_NUMBER = cast(null(), Text), cast(null(), Float)
_SAID = union_all(
    _of_kind("tag", tags, tags.c.name, tags.c.value, _NO_NUMBER),
    _of_kind("metric", metrics, metrics.c.name, _NO_TEXT, metrics.c.value),
    _of_kind("alias", aliases, aliases.c.alias, literal(""), _NO_NUMBER),
)
# Built once: building a statement costs more than running it.


def read_row(name: str, row: Row[Any]) -> Registered:
    """A version from its row."""
    return Registered(
        id=row.id,
        name=name,
        version=row.version,
        manifest=row.manifest,
        key=row.key,
        formats=tuple(json.loads(row.formats)),
        family=row.family,
        dimension=row.dimension,
        tokenizer=row.tokenizer,
        base_model=row.base_model,
        size=row.size,
        created_at=row.created_at,
        created_by=row.created_by,
        description=row.description,
        domain=row.domain,
        licence=row.licence,
        deprecated=row.deprecated,
    )


def _what_there_is(connection: Connection, model_id: int, name: str, wanted: str) -> str:
    living = (
        select(versions.c.version)
        .where(versions.c.model_id == model_id, versions.c.deleted_at.is_(None))
        .order_by(versions.c.key.desc())
    )
    some = ", ".join(connection.execute(living.limit(5)).scalars()) or "none"
    named = select(aliases.c.alias).where(aliases.c.model_id == model_id).order_by(aliases.c.alias)
    known = ", ".join(connection.execute(named.limit(8)).scalars()) or "none"
    gone = connection.execute(
        select(versions.c.deleted_at).where(
            versions.c.model_id == model_id, versions.c.version == wanted
        )
    ).scalar()
    deleted = f" ({wanted} was deleted on {gone[:10]})" if gone else ""
    return (
        f"{name}@{wanted} is not in this registry{deleted}; its highest versions are {some}, and "
        f"its aliases {known}"
    )
