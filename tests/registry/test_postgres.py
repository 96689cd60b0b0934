"""The same registry in PostgreSQL: a cluster of the tests' own, a database for each test."""

from __future__ import annotations

import itertools
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import create_engine, delete, insert, select

from hotbed.errors import (
    HotbedError,
    RegistryDamageError,
    RegistryError,
    RegistryUnavailableError,
    UsageError,
)
from hotbed.registry import Registry, migrating
from hotbed.registry.database import Database
from hotbed.registry.tables import chain, metadata
from hotbed.registry.versions import Version
from hotbed.registry.watching import Notified
from hotbed.testing import build_tiny
from tests.registry.cluster import cluster
from tests.registry.test_processes import TIMES, WRITERS, register_many, run
from tests.registry.test_versions import ASCENDING
from tests.registry.test_waits import stopped_writer

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


def test_an_earlier_registry(url: str, tmp_path: Path) -> None:
    """Its tables are migrated, and nothing in them is lost: the frozen sample of SQLite's."""
    from alembic import command

    sample = Path(__file__).parents[1] / "data" / "registry" / "database_0001.sql"
    script = sqlite3.connect(tmp_path / "sample.sqlite3")
    script.executescript(sample.read_text(encoding="utf-8"))
    script.close()
    source, database = create_engine(f"sqlite:///{tmp_path / 'sample.sqlite3'}"), Database(url)
    config = migrating._config()
    with source.connect() as old, database.writing(prepared=False) as new:
        config.attributes["connection"] = new
        command.upgrade(config, "0001")
        new.execute(delete(chain))
        for table in metadata.sorted_tables:
            if table.name != "registry" and (rows := old.execute(select(table)).mappings().all()):
                new.execute(insert(table), [dict(row) for row in rows])
    database.close()
    source.dispose()
    with Registry(url, blobs=tmp_path / "blobs") as registry:
        assert registry.resolve("support@production").version == "1.0.0"
        assert registry.audit().events == 9
        with registry.store.database.reading() as connection:
            context = MigrationContext.configure(connection, opts={"compare_type": False})
            assert compare_metadata(context, metadata) == []


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


def test_fifty_deployments_take_a_handful_of_connections(
    url: str, model: Path, tmp_path: Path
) -> None:
    """One pool and one listening connection for the process; all follow, and none is left over."""
    import time

    from hotbed.deployment import Deployment, ModelPool

    with Registry(url, blobs=tmp_path / "blobs", who="ada") as registry:
        registry.register("support", model)
        registry.register("support", build_tiny(tmp_path / "other", seed=2))
        registry.promote("support@0.0.1", "production")
    pool = ModelPool()
    opened = [
        Deployment(
            "support@production",
            registry=Registry(url, blobs=tmp_path / "blobs"),
            pool=pool,
            poll=600.0,
        )
        for _ in range(50)
    ]
    for one in opened:
        one.encode("bread")
    end = time.monotonic() + 60
    with Registry(url, blobs=tmp_path / "blobs", who="bob") as registry:
        time.sleep(1.0)  # it listens by now
        registry.promote("support@0.0.2", "production")
        while any(one.status().model != "support@0.0.2" for one in opened):
            assert time.monotonic() < end
            time.sleep(0.05)
    assert _listening(url) == 1
    assert _count(url) <= 9
    assert pool.loaded() == 1
    for one in opened:
        one.close()
    opened.clear()
    del one
    while _count(url):
        assert time.monotonic() < end, _count(url)
        time.sleep(0.1)


def _count(url: str) -> int:
    import psycopg

    with psycopg.connect(url, autocommit=True) as connection:
        row = connection.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
            "AND pid <> pg_backend_pid()"
        ).fetchone()
    assert row is not None
    return int(row[0])


def _listening(url: str) -> int:
    import psycopg

    with psycopg.connect(url, autocommit=True) as connection:
        row = connection.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
            "AND query LIKE 'LISTEN%'"
        ).fetchone()
    assert row is not None
    return int(row[0])


def test_waits_have_a_limit_and_name_the_holder(
    url: str, model: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A writer that is stopped in its transaction; then a row that somebody else holds."""
    import psycopg

    blobs = tmp_path / "blobs"
    registry = Registry(url, blobs=blobs, who="ada")
    registry.register("support", model)
    waiting = Registry(url, blobs=blobs, who="bob", timeout_s=1.3)
    with (
        stopped_writer(url, str(blobs)) as process,
        pytest.raises(RegistryUnavailableError, match="within 1.3 s") as caught,
    ):
        waiting.promote("support", "production")
    assert "hotbed eve " in str(caught.value)
    assert f":{process}" in str(caught.value)
    assert "waiting to write to the registry" in caplog.text
    with psycopg.connect(url, application_name="a migration") as other:
        other.execute("LOCK TABLE chain")
        holder = f"lock timeout.*a migration, process {other.info.backend_pid} of the server"
        with pytest.raises(RegistryUnavailableError, match=holder):
            waiting.promote("support", "production")
        with pytest.raises(RegistryUnavailableError, match="lock timeout"):
            waiting.audit()
    assert waiting.promote("support", "production").aliases == ("production",)
    for one in (registry, waiting):
        one.close()


def test_what_a_server_refuses(url: str, model: Path, tmp_path: Path) -> None:
    """Each is an outage or damage, and one of hotbed's errors."""
    import psycopg

    blobs = tmp_path / "blobs"
    database = url.partition("?")[0].rpartition("/")[2]
    registry = Registry(url, blobs=blobs, who="ada")
    registry.register("support", model)
    with pytest.raises(HotbedError):
        registry.annotate("support", description="a\0b")
    with pytest.raises(HotbedError):
        registry.search(limit=10**30)
    with pytest.raises(HotbedError):
        registry.search(text="\ud800")
    with pytest.raises(RegistryUnavailableError, match="does not exist"):
        Registry(url.replace(f"/{database}?", "/none?"), blobs=blobs)
    with pytest.raises(RegistryUnavailableError, match="role .*nobody.* does not exist"):
        Registry(url.replace("hotbed@", "nobody:secret@"), blobs=blobs)
    with pytest.raises(UsageError, match="cannot be read") as caught:
        Registry(url.replace("hotbed@/", "hotbed:sec@ret@host:port/"), blobs=blobs)
    assert "ret" not in str(caught.value).replace("read", "")
    with psycopg.connect(url, autocommit=True) as other:
        other.execute(f"ALTER DATABASE {database} SET default_transaction_read_only = on".encode())
    with Registry(f"{url}&application_name=again", blobs=blobs) as again:
        assert again.search()
        with pytest.raises(RegistryUnavailableError, match="read-only transaction"):
            again.promote("support", "production")
    with psycopg.connect(url, autocommit=True) as other:
        other.execute("SET default_transaction_read_only = off")
        other.execute(f"ALTER DATABASE {database} RESET default_transaction_read_only".encode())
        with pytest.raises(RegistryUnavailableError):
            _cut_while_writing(registry, other)
        assert str(registry.resolve("support")) == "support@0.0.1"
        other.execute("ALTER TABLE versions RENAME TO elsewhere")
        with pytest.raises(RegistryDamageError, match="does not exist"):
            registry.resolve("support")
    registry.close()


def _cut_while_writing(registry: Registry, other: Any) -> None:
    with registry.store.database.writing() as connection:
        other.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        connection.exec_driver_sql("SELECT 1")
