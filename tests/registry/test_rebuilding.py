"""`doctor --repair` writes tables anew where events and manifests prove them, and nothing else."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from hotbed.registry import Registry
from hotbed.testing import build_tiny


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A registry that has a row in every table."""
    place = tmp_path_factory.mktemp("whole")
    model = build_tiny(place / "m")
    with Registry(place / "r", who="ada") as registry:
        registry.register("support", model, version="1.0.0", tags={"a": "b"}, metrics={"n": 0.5})
        registry.register("support", model, version="1.1.0", parent="support@1.0.0")
        registry.register("search", model, version="2.0.0", description="x")
        registry.promote("support@1.0.0", "production")
        registry.deprecate("support@1.1.0", "old")
        registry.register("support", model, version="1.2.0-rc.1")
        registry.delete("support@1.2.0-rc.1")
    return place / "r"


@pytest.fixture
def registry(isolated: None, whole: Path, tmp_path: Path) -> Registry:
    """A copy to damage."""
    return Registry(shutil.copytree(whole, tmp_path / "r"), create=False)


def damage(registry: Registry, *statements: str) -> None:
    """Edit the tables, links between them unseen."""
    file = registry.store.database.file
    assert file is not None
    import sqlite3

    with sqlite3.connect(file) as connection:
        for statement in statements:
            assert connection.execute(statement).rowcount, statement
    connection.close()


PROVEN = [
    ("DELETE FROM files",),
    ("UPDATE files SET sha256 = 'x', size = 1",),
    ("UPDATE versions SET dimension = 7, tokenizer = 'x', family = '', size = 0, formats = '[]'",),
    ("UPDATE versions SET key = 'x', prerelease = 1, parent_id = NULL",),
    ("UPDATE versions SET parent_id = 3, created_at = 'x', deprecated = NULL",),
    ("UPDATE versions SET version = '9.9.9' WHERE id = 1",),
    ("UPDATE versions SET deleted_at = NULL",),
    ("UPDATE versions SET deleted_at = 'x' WHERE id = 1",),
    ("UPDATE versions SET model_id = 2 WHERE id = 1",),
    ("UPDATE models SET name = 'eve' WHERE id = 1",),
    ("UPDATE models SET folded = 'eve' WHERE id = 1",),
    ("DELETE FROM models WHERE id = 1",),
    ("DELETE FROM aliases",),
    ("UPDATE aliases SET alias = 'canary'",),
    ("INSERT INTO models VALUES (99, 'eve', 'eve')", "UPDATE aliases SET model_id = 99"),
    ("DELETE FROM tags", "UPDATE metrics SET value = 1.0"),
    ("INSERT INTO tags VALUES (1, 'approved', 'yes')",),
    ("DELETE FROM versions", "DELETE FROM files", "DELETE FROM aliases", "DELETE FROM models"),
    ("DELETE FROM registry",),
    ("INSERT INTO registry SELECT 2, identity FROM registry",),
]


@pytest.mark.parametrize("statements", PROVEN)
def test_what_events_and_manifests_prove(registry: Registry, statements: tuple[str, ...]) -> None:
    """It is as it was; what was registered before can be found, and gc removes nothing of it."""
    damage(registry, *statements)
    assert registry.doctor().faults
    done = registry.doctor(mend=True)
    assert done.faults == ()
    assert done.repaired
    registry.audit()
    assert registry.resolve("support@production").version == "1.0.0"
    assert registry.get("support@1.1.0").deprecated == "old"
    assert registry.gc(older_than=0).blobs == 0


@pytest.mark.parametrize(
    "statements",
    [
        ("UPDATE events SET who = 'eve' WHERE seq = 1", "DELETE FROM tags"),
        ("DELETE FROM events WHERE seq = 7", "DELETE FROM tags"),
        ("UPDATE chain SET seq = 3", "DELETE FROM tags"),
        ("DELETE FROM manifests WHERE digest = (SELECT manifest FROM versions WHERE id = 1)",),
    ],
)
def test_what_nothing_proves(registry: Registry, statements: tuple[str, ...]) -> None:
    """It stays a finding, and no table is touched."""
    damage(registry, *statements)
    before = registry.doctor().faults
    assert before
    done = registry.doctor(mend=True)
    assert (done.faults, done.repaired) == (before, ())


def test_an_id_that_another_chain_had(registry: Registry) -> None:
    """A store that remembers other events gives no id."""
    damage(registry, "DELETE FROM registry")
    objects = registry.store.blobs.objects
    objects.write(f"heads/99-{'0' * 64}.json", b"{}")
    assert registry.doctor(mend=True).faults
