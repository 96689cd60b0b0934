"""Migrations make the tables that the code believes in, and a later hotbed's are left alone."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext

from hotbed.errors import RegistryError, UsageError
from hotbed.registry import Registry, migrating
from hotbed.registry.filesystems import filesystem, is_remote
from hotbed.registry.tables import metadata


def test_migrations_make_the_tables(registry: Registry) -> None:
    """Alembic finds no difference between a migrated database and the tables in the code."""
    with registry.store.database.reading() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": False})
        assert compare_metadata(context, metadata) == []


def test_the_last_step_is_known_by_name() -> None:
    """A registry that is up to date is recognised without Alembic."""
    from alembic.script import ScriptDirectory

    folder = Path(migrating.__file__).parent / "migrations"
    assert ScriptDirectory(str(folder)).get_current_head() == migrating.HEAD


def test_a_later_hotbeds_registry(registry: Registry) -> None:
    """It is refused, and nothing in it is touched."""
    registry.close()
    file = registry.store.database.file
    assert file is not None
    with sqlite3.connect(file) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()
    with pytest.raises(RegistryError, match="at step 9999, which this hotbed does not know"):
        Registry(registry.store.place)


def test_opening_twice_changes_nothing(registry: Registry, model: Path) -> None:
    """A registry that is up to date is opened without a write."""
    registry.register("support", model)
    registry.close()
    file = registry.store.database.file
    assert file is not None
    with sqlite3.connect(f"file:{file}?mode=ro", uri=True) as connection:
        before = list(connection.iterdump())
    connection.close()
    assert Registry(registry.store.place).resolve("support").version == "0.0.1"
    with sqlite3.connect(f"file:{file}?mode=ro", uri=True) as connection:
        assert list(connection.iterdump()) == before
    connection.close()


def test_a_registry_that_goes_away(registry: Registry, model: Path, tmp_path: Path) -> None:
    """As with its volume: an error that names it, and no empty registry in its place."""
    registry.register("support", model)
    registry.close()
    place = Path(registry.store.place)
    place.rename(tmp_path / "elsewhere")
    place.mkdir()
    with pytest.raises(RegistryError, match="refused: unable to open"):
        registry.resolve("support")
    assert list(place.iterdir()) == []
    place.rmdir()
    (tmp_path / "elsewhere").rename(place)
    assert registry.resolve("support").version == "0.0.1"


@pytest.mark.parametrize("name", ["with space", "a#b", "a?b", "a%20b", "ü"])
def test_a_folder_with_an_odd_name(tmp_path: Path, name: str) -> None:
    """The database lies in it, and not in what a URL would make of it."""
    if name == "a?b" and os.name == "nt":
        pytest.skip("no such names on Windows")
    Registry(tmp_path / name).close()
    assert (tmp_path / name / "registry.sqlite3").stat().st_size > 0


def test_network_file_systems_are_told_from_local_ones() -> None:
    """The longest mount point counts; SQLite is refused on what is a network's."""
    mounts = [("/", "ext4"), ("/mnt", "nfs4"), ("/mnt/local", "xfs"), ("/s", "fuse.sshfs")]
    found = {
        place: is_remote(filesystem(Path(place), mounts))
        for place in ("/home/ada", "/mnt/team", "/mnt/local/x", "/s/x", "/mntx")
    }
    assert found == {
        "/home/ada": False,
        "/mnt/team": True,
        "/mnt/local/x": False,
        "/s/x": True,
        "/mntx": False,
    }
    assert filesystem(Path("/x"), []) == ""


def test_places_that_are_none(tmp_path: Path) -> None:
    """A URL of another database, and a database without a place for files."""
    with pytest.raises(UsageError, match="mysql:// is neither"):
        Registry("mysql://x/y", blobs=tmp_path)
    with pytest.raises(UsageError, match="needs a place for files too"):
        Registry("postgresql://x/y")
