"""Every column of every table, and every row: whoever edits one unseen by the registry is found."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert

from hotbed.errors import HotbedError
from hotbed.registry import Registry
from hotbed.registry.tables import leases, metadata
from hotbed.testing import build_tiny

FREE = {
    ("leases", "version_id"),
    ("leases", "id"),
    ("leases", "holder"),
    ("leases", "expires"),
    ("versions", "id"),
}
"""Leases are nobody's history: another value of the right type is a lease like others. The number
of a version's row says nothing where no other row names it, as of one that was deleted."""


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A registry that has a row in every table."""
    place = tmp_path_factory.mktemp("whole")
    model = build_tiny(place / "m")
    with Registry(place / "r", who="ada") as registry:
        registry.register("support", model, version="1.0.0", tags={"a": "b"}, metrics={"n": 0.5})
        registry.register("support", model, version="1.1.0", parent="support@1.0.0")
        registry.register("support", model, version="1.2.0-rc.1", description="x", base_model="y")
        registry.promote("support@1.0.0", "production")
        registry.deprecate("support@1.1.0", "old")
        registry.delete("support@1.2.0-rc.1")
        with registry.store.database.writing() as connection:
            connection.execute(insert(leases).values(id="x", version_id=1, holder="a", expires=9e9))
        assert registry.doctor().faults == ()
    return place / "r"


def edits(value: Any) -> Iterator[Any]:
    """Another value of its type, none at all, and values of other types."""
    if isinstance(value, str):
        yield value + "x"
    elif isinstance(value, int):
        yield value + 1
    elif isinstance(value, float):
        yield value / 2
    else:
        yield from ("x", 1)
    yield from (None, b"\xff", 1e300)


def seen(place: Path) -> bool:
    """Whether audit or doctor reports anything; nothing else may be raised."""
    try:
        with Registry(place, create=False) as registry:
            registry.audit()
            if registry.doctor().faults:
                return True
    except HotbedError:
        return True
    return False


def reported(whole: Path, place: Path, statement: str, values: tuple[Any, ...]) -> bool | None:
    """Whether an edit is reported; None where SQLite itself refuses it, or nothing changes."""
    shutil.copy(whole / "registry.sqlite3", place / "registry.sqlite3")
    connection = sqlite3.connect(place / "registry.sqlite3")
    before = list(connection.iterdump())
    try:
        connection.execute("PRAGMA writable_schema = ON")
        connection.execute(
            "UPDATE sqlite_master SET sql = replace(sql, ' NOT NULL', '') WHERE type = 'table'"
        )
        connection.commit()
        connection.close()
        connection = sqlite3.connect(place / "registry.sqlite3")
        connection.execute(statement, values)
        connection.commit()
        rows = [row for row in connection.iterdump() if not row.startswith("CREATE")]
    except sqlite3.Error:
        return None
    finally:
        connection.close()
    if rows == [row for row in before if not row.startswith("CREATE")]:
        return None
    return seen(place)


@pytest.fixture
def copy(whole: Path, tmp_path: Path) -> Path:
    """A copy to damage."""
    place = tmp_path / "r"
    shutil.copytree(whole, place)
    assert not seen(place)
    return place


@pytest.mark.parametrize("table", [table.name for table in metadata.sorted_tables])
def test_any_edit(request: pytest.FixtureRequest, whole: Path, copy: Path, table: str) -> None:
    """Of any value in any row, to any other; --hotbed-heavy tries values of every other type."""
    every = request.config.getoption("hotbed_heavy")
    connection = sqlite3.connect(whole / "registry.sqlite3")
    rows = connection.execute(f"SELECT rowid, * FROM {table}").fetchall()
    names = [item[0] for item in connection.execute(f"SELECT * FROM {table}").description]
    connection.close()
    tried, unseen = 0, []
    for row in rows:
        if row not in (rows[0], rows[-1] if table == "versions" else rows[0]):
            continue
        for name, value in zip(names, row[1:], strict=True):
            for new in list(edits(value))[: None if every else 1]:
                statement = f'UPDATE {table} SET "{name}" = ? WHERE rowid = ?'
                found = reported(whole, copy, statement, (new, row[0]))
                tried += found is not None
                if found is False and not (
                    (table, name) in FREE and isinstance(new, str | int | float)
                ):
                    unseen.append((name, value, new))
    assert rows, table
    assert tried > (3 if every else 0), table
    assert unseen == []


@pytest.mark.parametrize("table", [table.name for table in metadata.sorted_tables])
def test_any_row_that_is_lost(whole: Path, copy: Path, table: str) -> None:
    """Of any table; leases come and go by themselves."""
    connection = sqlite3.connect(whole / "registry.sqlite3")
    rows = connection.execute(f"SELECT rowid FROM {table}").fetchall()
    connection.close()
    for row in rows[:3]:
        found = reported(whole, copy, f"DELETE FROM {table} WHERE rowid = ?", row)
        assert found or table == "leases", (table, row)


def test_a_row_too_many(whole: Path, copy: Path) -> None:
    """A second record of the chain's end, and a second id."""
    for statement in (
        "INSERT INTO chain SELECT 2, seq, digest FROM chain",
        "INSERT INTO registry SELECT 2, identity FROM registry",
        "INSERT INTO models VALUES (99, 'eve', 'eve')",
        "INSERT INTO manifests VALUES ('x', '{}')",
        "INSERT INTO tags VALUES (1, 'approved', 'yes')",
    ):
        assert reported(whole, copy, statement, ()), statement
