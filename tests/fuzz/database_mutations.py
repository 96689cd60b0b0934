"""Changes of a registry's database by somebody who knows SQL."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from random import Random
from typing import Any

from tests.fuzz.hostile import Raw, dump, hostile
from tests.fuzz.json_mutations import changed_value
from tests.fuzz.mutation import MEANING, Mutation, NotApplicableError, Place

__all__ = ["DATABASES"]

_MOST = 1 << 62


def _statement(rng: Random, connection: sqlite3.Connection) -> str:
    rows = connection.execute("select name from sqlite_master where type = 'table'").fetchall()
    tables = sorted(name for (name,) in rows if not name.startswith("sqlite_"))
    if not tables:
        raise NotApplicableError("no tables")
    table = rng.choice(tables)
    columns = [row[1] for row in connection.execute(f'pragma table_info("{table}")')]
    way = rng.choices((0, 1, 2, 3), (8, 3, 1, 1))[0]
    if way == 1:
        found = connection.execute(f'select rowid from "{table}"').fetchall()
        if not found:
            raise NotApplicableError("no rows")
        connection.execute(f'delete from "{table}" where rowid = ?', rng.choice(found))
        return f"a row of {table} is deleted"
    if way == 2:
        connection.execute(f'drop table "{table}"')
        return f"the table {table} is dropped"
    if way == 3:
        connection.execute(f'alter table "{table}" rename to "{table}_x"')
        return f"the table {table} is called otherwise"
    column = rng.choice(columns)
    return _update(rng, connection, table, column)


def _update(rng: Random, connection: sqlite3.Connection, table: str, column: str) -> str:
    found = connection.execute(f'select rowid, "{column}" from "{table}"').fetchall()
    if not found:
        raise NotApplicableError("no rows")
    row, old = rng.choice(found)
    value = _value(rng, old)
    connection.execute(f'update "{table}" set "{column}" = ? where rowid = ?', (value, row))
    return f"{table}.{column} of row {row} becomes {str(value)[:60]!r}"


def _value(rng: Random, old: Any) -> Any:
    if isinstance(old, str) and old[:1] in "{[" and rng.random() < 0.7:
        with contextlib.suppress(ValueError):
            return _storable(dump(rng, changed_value(rng, json.loads(old))[0]))
    value = hostile(rng, old)
    value = value.text if isinstance(value, Raw) else value
    return _storable(value if isinstance(value, str | int | float | None) else dump(rng, value))


def _storable(value: Any) -> Any:
    if isinstance(value, int):
        return max(-_MOST, min(_MOST, value))
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else value


def _sql(rng: Random, place: Place) -> str:
    try:
        with contextlib.closing(sqlite3.connect(place.file)) as connection:
            connection.execute("pragma foreign_keys = off")
            told = _statement(rng, connection)
            connection.commit()
            connection.execute("pragma wal_checkpoint(truncate)")
    except sqlite3.Error as error:
        raise NotApplicableError(str(error)) from error
    return told


def _emptied(rng: Random, place: Place) -> str:
    del rng
    place.file.write_bytes(b"")
    return "0 bytes"


DATABASES = [
    Mutation(name="sql", act=_sql, effect=MEANING, weight=8),
    Mutation(name="0 bytes", act=_emptied, effect=MEANING, weight=0.5),
]
