"""The same registry in PostgreSQL: a cluster of the tests' own, a database for each test."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext

from hotbed.errors import RegistryError
from hotbed.registry import Registry
from hotbed.registry.database import Database
from hotbed.registry.tables import metadata
from hotbed.registry.versions import Version
from hotbed.registry.watching import Notified
from hotbed.testing import build_tiny
from tests.registry.cluster import cluster
from tests.registry.test_processes import TIMES, WRITERS, register_many, run
from tests.registry.test_versions import ASCENDING

pytest.importorskip("psycopg", reason='needs pip install "hotbed[postgres]"')

_numbers = itertools.count()


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """The cluster."""
    with cluster() as url:
        yield url


@pytest.fixture
def url(server: str) -> str:
    """A database of the test's own."""
    import psycopg

    name = f"test{next(_numbers)}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}".encode())
    return server.replace("/registry?", f"/{name}?")


def test_a_registry_from_registration_to_rollback(url: str, model: Path, tmp_path: Path) -> None:
    """Everything that the SQLite tests do, once: the same answers."""
    registry = Registry(url, blobs=tmp_path / "blobs", who="ada")
    for version in ASCENDING:
        registry.register("support", model, version=version, metrics={"ndcg": 0.4}, tags={"a": "b"})
    assert [one.version for one in registry.search(sort="version")] == list(ASCENDING)
    assert registry.resolve("support").version == "10.0.0"
    assert registry.resolve("support@^1.0").version == "1.10.0"
    registry.promote("support@1.0.0", "production")
    registry.promote("support@2.0.0", "production")
    assert registry.rollback("support", "production").version == "1.0.0"
    assert registry.search(text="SUPP", least={"ndcg": 0.3}, tags={"a": "b"}, limit=1)
    registry.annotate("support@1.0.0", description="good", metrics={"ndcg": None})
    registry.delete("support@0.9.9")
    with pytest.raises(RegistryError, match="already"):
        registry.register("support", model, version="1.0.0")
    assert registry.gc(older_than=0).blobs == 0
    assert registry.audit().events == len(ASCENDING) + 5
    with registry.store.database.writing() as connection:
        from sqlalchemy import text

        connection.execute(text("UPDATE events SET who = 'eve' WHERE seq = 2"))
    with pytest.raises(RegistryError, match="event 2 .* was edited"):
        registry.audit()
    registry.close()


def test_migrations_make_the_tables(url: str, tmp_path: Path) -> None:
    """As on SQLite."""
    registry = Registry(url, blobs=tmp_path / "blobs")
    with registry.store.database.reading() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": False})
        assert compare_metadata(context, metadata) == []
    registry.close()


def test_versions_are_dense_and_unique(
    url: str, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sixteen processes make the tables and register at once."""
    monkeypatch.setenv("HOTBED_REGISTRY_BLOBS", str(tmp_path / "blobs"))
    start = tmp_path / "start"
    start.touch()
    found = [
        v
        for some in run(register_many, [(url, str(model), TIMES, str(start))] * WRITERS)
        for v in some
    ]
    wanted = [f"0.0.{number}" for number in range(1, WRITERS * TIMES + 1)]
    assert sorted(found, key=lambda text: Version.parse(text).key) == wanted
    registry = Registry(url, blobs=tmp_path / "blobs")
    assert registry.audit().events == len(wanted)
    registry.close()


def test_a_server_that_is_not_there(tmp_path: Path) -> None:
    """The message names it, and not the password."""
    with pytest.raises(RegistryError, match="db/x refused") as caught:
        Registry(f"postgresql://u:secret@/db/x?host={tmp_path}", blobs=tmp_path)
    assert "secret" not in str(caught.value)


def test_a_deployment_is_told_of_a_move(url: str, model: Path, tmp_path: Path) -> None:
    """At once, though it would ask only every ten minutes."""
    import time

    from hotbed.deployment import Deployment, ModelPool

    registry = Registry(url, blobs=tmp_path / "blobs", who="ada")
    other = build_tiny(tmp_path / "other", seed=2)
    registry.register("support", model)
    registry.register("support", other)
    registry.promote("support@0.0.1", "production")
    pool = ModelPool()
    elsewhere = Registry(url, blobs=tmp_path / "blobs", who="bob")

    def follows(serving: Deployment, version: str) -> None:
        elsewhere.promote(version, "production")
        end = time.monotonic() + 20
        while serving.status().model != version:
            assert time.monotonic() < end, serving.status()
            time.sleep(0.02)

    with Deployment("support@production", registry=registry, pool=pool, poll=600.0) as serving:
        serving.encode("bread")
        time.sleep(1.0)  # it listens by now
        follows(serving, "support@0.0.2")
    with Deployment("support@production", registry=registry, pool=pool, poll=1.0) as serving:
        serving.encode("bread")
        time.sleep(0.5)
        _cut_all_connections(url)
        follows(serving, "support@0.0.1")
        time.sleep(1.5)  # it listens again
        follows(serving, "support@0.0.2")
    for one in (registry, elsewhere):
        one.close()


def test_waiting_for_a_server_that_is_gone(tmp_path: Path) -> None:
    """Time passes as on SQLite, and the thread that waits lives on."""
    import threading

    database = Database(f"postgresql://nobody@/x?host={tmp_path}")
    for _ in range(2):
        Notified(database).wait(0.1, threading.Event())


def _cut_all_connections(url: str) -> None:
    """As a server does that is started again."""
    import psycopg

    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
