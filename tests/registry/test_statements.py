"""How many statements a question costs: one page, one batch."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import event

from hotbed.registry import Registry


@contextmanager
def statements(registry: Registry) -> Iterator[list[str]]:
    """What the database is asked meanwhile, less the ends of transactions."""
    said: list[str] = []

    def note(_: object, __: object, statement: str, *___: object) -> None:
        if not statement.startswith(("BEGIN", "PRAGMA")):
            said.append(statement)

    engine = registry.store.database.connections().engine
    event.listen(engine, "before_cursor_execute", note)
    try:
        yield said
    finally:
        event.remove(engine, "before_cursor_execute", note)


@pytest.fixture
def filled(registry: Registry, model: Path) -> Registry:
    """Twelve versions with tags, metrics and an alias."""
    for number in range(12):
        registry.register(
            "support", model, metrics={"b": number, "a": 0.5}, tags={"z": "1", "n": str(number)}
        )
    registry.promote("support@0.0.3", "production")
    registry.promote("support@0.0.3", "canary")
    return registry


def test_a_page_of_a_search_takes_two_statements(filled: Registry) -> None:
    """However many rows it has; 100 rows took 302."""
    with statements(filled) as said:
        rows = filled.search(sort="version")
    assert len(rows) == 12
    assert len(said) == 2
    assert rows[2].aliases == ("canary", "production")
    assert dict(rows[4].tags) == {"n": "4", "z": "1"}
    assert rows[4].metrics == {"a": 0.5, "b": 4.0}
    assert list(rows) == [filled.get(str(row)) for row in rows]


def test_other_questions(filled: Registry, tmp_path: Path) -> None:
    """Of a version, of two side by side, of all: none grows with the number of versions."""
    counted = {}
    questions: dict[str, Callable[[], object]] = {
        "resolve": lambda: filled.resolve("support@production"),
        "get": lambda: filled.get("support@production"),
        "compare": lambda: filled.compare("support@0.0.1", "support@0.0.2"),
        "audit": filled.audit,
        "doctor": filled.doctor,
    }
    for name, ask in questions.items():
        with statements(filled) as said:
            ask()
        counted[name] = len(said)
    assert counted["resolve"] == 2
    assert counted["get"] == 3
    assert counted["compare"] <= 8
    assert max(counted["audit"], counted["doctor"]) < 20
