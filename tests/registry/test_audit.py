"""The audit trail: any edit, removal or move of an event, and any table that says otherwise."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from hotbed.errors import RegistryError
from hotbed.registry import Registry

POINT = (
    "UPDATE aliases SET (version_id, manifest) = (SELECT id, manifest FROM versions WHERE id = {})"
)


@pytest.fixture
def busy(registry: Registry, model: Path) -> Registry:
    """A registry in which things have happened."""
    registry.register("support", model, tags={"a": "1"}, metrics={"ndcg": 0.4})
    registry.register("support", model)
    registry.promote("support@0.0.1", "production", why="first")
    registry.promote("support@0.0.2", "production", why="second")
    registry.annotate("support@0.0.1", description="good", tags={"a": None})
    registry.rollback("support", "production", why="slow")
    registry.deprecate("support@0.0.2", "slow")
    registry.register("support", model)
    registry.delete("support@0.0.3")
    return registry


def meddle(registry: Registry, *statements: str) -> None:
    """Write into the database behind the registry's back."""
    registry.close()
    file = registry.store.database.file
    assert file is not None
    with sqlite3.connect(file) as connection:
        for statement in statements:
            connection.execute(statement)
    connection.close()


def test_a_sound_trail(busy: Registry) -> None:
    """Every event counts, and the head that was kept before is found again later."""
    found = busy.audit()
    assert found.events == 9
    busy.annotate("support@0.0.1", domain="chat")
    assert busy.audit(found.head).events == 10


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("UPDATE events SET who = 'eve' WHERE seq = 3", r"event 3 \(promote .*\) was edited"),
        ("UPDATE events SET why = '' WHERE seq = 4", r"event 4 .* was edited"),
        ("UPDATE events SET at = '2020-01-01' WHERE seq = 1", r"event 1 .* was edited"),
        ("UPDATE events SET payload = '{}' WHERE seq = 6", r"event 6 .* was edited"),
        ("DELETE FROM events WHERE seq = 5", "lacks event 5"),
        ("DELETE FROM events WHERE seq = 9", "ends at event 8, and 9 were recorded"),
        ("UPDATE events SET seq = 99 WHERE seq = 2", "lacks event 2"),
        (
            "UPDATE events SET digest = replace(digest, substr(digest, 1, 1), 'x') WHERE seq = 2",
            r"event 2 .* was edited",
        ),
    ],
)
def test_meddling_with_events(busy: Registry, statement: str, said: str) -> None:
    """The first event that is wrong is named."""
    meddle(busy, statement)
    with pytest.raises(RegistryError, match=said):
        busy.audit()


def test_two_events_change_places(busy: Registry) -> None:
    """Their order is part of the chain."""
    meddle(
        busy,
        "UPDATE events SET seq = 100 WHERE seq = 3",
        "UPDATE events SET seq = 3 WHERE seq = 4",
        "UPDATE events SET seq = 4 WHERE seq = 100",
    )
    with pytest.raises(RegistryError, match="event 3 .* follows another event"):
        busy.audit()


def test_an_end_that_is_cut_off_with_its_head(busy: Registry) -> None:
    """The chain alone cannot tell; a head that was kept elsewhere does."""
    kept = busy.audit().head
    digest = "SELECT digest FROM events WHERE seq = 7"
    meddle(
        busy,
        "DELETE FROM files WHERE version_id = 3",
        "DELETE FROM versions WHERE id = 3",
        "DELETE FROM events WHERE seq > 7",
        f"UPDATE chain SET seq = 7, digest = ({digest})",
    )
    with pytest.raises(RegistryError, match="does not hold event 9 .* kept elsewhere"):
        busy.audit(kept)


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("UPDATE versions SET description = 'bad' WHERE id = 1", "support@0.0.1: description"),
        ("UPDATE versions SET deprecated = NULL WHERE id = 2", "support@0.0.2: deprecated"),
        ("UPDATE versions SET deleted_at = NULL WHERE id = 3", "support@0.0.3: deleted"),
        ("UPDATE metrics SET value = 0.9", "support@0.0.1: metrics"),
        ("INSERT INTO tags VALUES (2, 'approved', 'yes')", "support@0.0.2: tags"),
        ("DELETE FROM aliases", "support@production points to nothing"),
        (
            POINT.format(2),
            "support@production points to 0.0.2, and the trail tells 0.0.1",
        ),
    ],
)
def test_meddling_with_what_follows(busy: Registry, statement: str, said: str) -> None:
    """Tables that no longer follow from the events are named."""
    meddle(busy, statement)
    with pytest.raises(RegistryError, match=said):
        busy.audit()


def test_one_finding_and_more(busy: Registry) -> None:
    """Their number is said as people say it."""
    meddle(busy, "UPDATE metrics SET value = 0.9")
    with pytest.raises(RegistryError, match=r"^1 thing is not as the audit trail tells it:\n"):
        busy.audit()
    meddle(busy, "UPDATE versions SET description = 'bad' WHERE id = 1")
    with pytest.raises(RegistryError, match=r"^2 things are not as the audit trail tells them:\n"):
        busy.audit()


def test_a_dangling_alias_cannot_be_written(busy: Registry, model: Path) -> None:
    """Foreign keys hold aliases to versions of their own model, and to their manifests."""
    busy.register("other", model)
    file = busy.store.database.file
    assert file is not None
    connection = sqlite3.connect(file)
    connection.execute("PRAGMA foreign_keys = ON")
    for statement in (
        "DELETE FROM versions WHERE id = 1",
        "UPDATE aliases SET version_id = 77",
        "UPDATE aliases SET manifest = 'f00'",
        POINT.format(4),
    ):
        with pytest.raises(sqlite3.IntegrityError):
            connection.execute(statement)
    connection.close()
