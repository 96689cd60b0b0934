"""Whose files they are: no registry collects another's, nor with a database that knows less."""

from __future__ import annotations

import json
import shutil
import sqlite3
import uuid
from collections.abc import Callable
from pathlib import Path

import pytest

from hotbed.errors import CorruptFileError, RegistryError
from hotbed.registry import Registry
from hotbed.registry.ownership import HEADS, MARKER, read_marker
from hotbed.testing import build_tiny
from tests.registry.test_audit import meddle

DATA = Path(__file__).parents[1] / "data" / "registry"


def digests(registry: Registry) -> set[str]:
    """What the store holds."""
    return {blob.digest for blob in registry.store.blobs}


def saved(registry: Registry, to: Path) -> None:
    """Copy the database, as a backup does."""
    registry.close()
    shutil.copy(Path(registry.store.place) / "registry.sqlite3", to)


def put_back(registry: Registry, copy: Path) -> None:
    """Put a copy of the database back."""
    registry.close()
    shutil.copy(copy, Path(registry.store.place) / "registry.sqlite3")


@pytest.fixture(params=["folder", "memory"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A place for files."""
    return str(tmp_path / "b") if request.param == "folder" else f"memory://{uuid.uuid4().hex}"


def test_a_store_carries_its_registrys_id(place: str, model: Path, tmp_path: Path) -> None:
    """Another registry on it is refused, with both ids, before and after files are there."""
    with Registry(tmp_path / "production", blobs=place) as production:
        production.register("support", model)
        own = production.store.ownership.registry
        assert read_marker(production.store.blobs) == own
        before = digests(production)
        with pytest.raises(RegistryError, match=own):
            Registry(tmp_path / "staging", blobs=place)
        assert not (tmp_path / "staging" / "registry.sqlite3").exists()
        Registry(tmp_path / "staging").close()
        with (
            pytest.raises(RegistryError, match=rf"belong to the registry {own}.*adopt"),
            Registry(tmp_path / "staging", blobs=place) as staging,
        ):
            staging.gc(older_than=0)
        assert digests(production) == before


def test_a_store_is_taken_over_by_name_only(place: str, model: Path, tmp_path: Path) -> None:
    """The id that it carries has to be named; then it is the new registry's alone."""
    with Registry(tmp_path / "old", blobs=place) as old:
        old.register("support", model)
        previous = old.store.ownership.registry
    for wrong in (None, "0" * 32):
        with pytest.raises(RegistryError, match=f"carries the id of the registry {previous}"):
            Registry.adopt(tmp_path / "new", blobs=place, previous=wrong)
    with Registry.adopt(tmp_path / "new", blobs=place, previous=previous) as new:
        new.register("other", model)
        assert new.gc(older_than=0).blobs == 0
        assert new.doctor().faults == ()
    with (
        pytest.raises(RegistryError, match="belong to"),
        Registry(tmp_path / "old", blobs=place) as o,
    ):
        o.gc()


def test_a_table_that_lost_its_rows(registry: Registry, model: Path) -> None:
    """What is reached follows from manifests: rows of files may all be gone."""
    registry.register("support", model)
    before = digests(registry)
    meddle(registry, "DELETE FROM files")
    registry.gc(older_than=0)
    assert digests(registry) == before


@pytest.mark.parametrize(
    ("statement", "why"),
    [
        ("UPDATE versions SET deleted_at = 'x'", r"tell of other versions \(support@0.0.1\)"),
        ("UPDATE manifests SET content = '{}'", "manifest .* is damaged or gone"),
        ("DELETE FROM manifests", "manifest .* is damaged or gone"),
        ("DELETE FROM events", "the audit trail"),
        ("UPDATE events SET kind = 'delete'", "event 1 .* was edited"),
    ],
)
def test_a_database_that_was_changed(
    registry: Registry, model: Path, statement: str, why: str
) -> None:
    """Nothing is collected by it."""
    registry.register("support", model)
    before = digests(registry)
    meddle(registry, statement)
    with pytest.raises(RegistryError, match=why):
        registry.gc(older_than=0)
    assert digests(registry) == before


@pytest.mark.parametrize("collected", [True, False], ids=["after a collection", "without one"])
def test_an_older_copy_of_the_database(
    registry: Registry, model: Path, tmp_path: Path, collected: bool
) -> None:
    """It does not know what was registered since; so it says, and what would be lost."""
    registry.register("support", model)
    saved(registry, tmp_path / "older")
    registry.register("support", build_tiny(tmp_path / "second", seed=2))
    saved(registry, tmp_path / "newer")
    if collected:
        registry.gc(older_than=0)
    before = digests(registry)
    put_back(registry, tmp_path / "older")
    again = Registry(registry.store.place)
    for dry in (True, False):
        with pytest.raises(RegistryError, match="had 2 versions and event 2 .*--abandon 2:") as no:
            again.gc(older_than=0, dry=dry)
    assert digests(again) == before
    put_back(again, tmp_path / "newer")
    assert again.gc(older_than=0).blobs == 0
    put_back(again, tmp_path / "older")
    head = str(no.value).rpartition("--abandon ")[2].rstrip("`")
    assert Registry(registry.store.place).gc(older_than=0, abandon=[head]).blobs == 1
    assert Registry(registry.store.place).gc(older_than=0).blobs == 0


def test_two_databases_of_one_copy(registry: Registry, model: Path, tmp_path: Path) -> None:
    """They have one id, and neither takes what the other registered since."""
    registry.register("support", model)
    registry.close()
    shutil.copytree(registry.store.place, tmp_path / "copy")
    blobs = Path(registry.store.place) / "blobs"
    other = Registry(tmp_path / "copy", blobs=blobs)
    registry.register("support", build_tiny(tmp_path / "a", seed=3))
    other.register("support", build_tiny(tmp_path / "b", seed=4))
    before = digests(registry)
    for one in (registry, other):
        with pytest.raises(RegistryError, match="another that took another way"):
            one.gc(older_than=0)
    assert digests(registry) == before


def emptied(path: Path) -> None:
    """As a full disk or a careless copy leaves it."""
    path.write_bytes(b"")


@pytest.mark.parametrize("damage", [emptied, Path.unlink])
@pytest.mark.parametrize("create", [True, False])
def test_a_database_that_is_gone(
    registry: Registry, model: Path, damage: Callable[[Path], None], create: bool
) -> None:
    """That is damage, and no new registry."""
    registry.register("support", model)
    before = digests(registry)
    registry.close()
    path = Path(registry.store.place) / "registry.sqlite3"
    damage(path)
    with pytest.raises(RegistryError, match=r"0 bytes|is not there, and the files .* belong to"):
        Registry(registry.store.place, create=create)
    assert not path.exists() or not path.stat().st_size
    assert digests(registry) == before


def test_an_emptied_database_without_files(tmp_path: Path) -> None:
    """A new registry is never empty: its file appears with every table."""
    tmp_path.joinpath("registry.sqlite3").touch()
    with pytest.raises(RegistryError, match="0 bytes: it was emptied"):
        Registry(tmp_path)


def earlier(place: Path) -> Path:
    """A registry of the first hotbed, and the files of its versions; its store has no id."""
    place.mkdir()
    connection = sqlite3.connect(place / "registry.sqlite3")
    connection.executescript((DATA / "database_0001.sql").read_text(encoding="utf-8"))
    found = connection.execute("SELECT DISTINCT sha256, size FROM files").fetchall()
    connection.close()
    for digest, size in found:
        path = place / "blobs" / "sha256" / digest[:2] / digest
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(bytes(size))
    return place


def test_an_earlier_registry(tmp_path: Path) -> None:
    """It is migrated, and takes its own files over when it first collects."""
    place = earlier(tmp_path / "r")
    with Registry(place) as registry:
        assert registry.resolve("support@production").version == "1.0.0"
        assert read_marker(registry.store.blobs) is None
        assert registry.audit().events == 9
        assert registry.gc(older_than=0).blobs == 0
        assert read_marker(registry.store.blobs) == registry.store.ownership.registry


def test_an_earlier_registry_with_files_that_it_does_not_know(tmp_path: Path) -> None:
    """They may be another's: it is served from and registered to, and nothing is collected."""
    place = earlier(tmp_path / "r")
    with Registry(place) as registry:
        stranger = registry.store.blobs.put(b"stranger")
        with pytest.raises(RegistryError, match="no registry's id, and 1 of its files"):
            registry.gc(older_than=0)
        registry.register("support", build_tiny(tmp_path / "m"))
        assert read_marker(registry.store.blobs) is None
    with Registry.adopt(place) as registry:
        assert registry.gc(older_than=0).blobs == 1
        assert stranger not in digests(registry)


@pytest.mark.parametrize(
    ("content", "error", "why"),
    [
        (b"", CorruptFileError, "cannot be used"),
        (b"[]", CorruptFileError, "its format is not"),
        (b'{"format": "hotbed.blob-store", "version": 2}', RegistryError, "upgrade hotbed"),
    ],
)
def test_an_id_that_cannot_be_read(
    registry: Registry, model: Path, content: bytes, error: type[Exception], why: str
) -> None:
    """Nothing is collected; the versions can be used."""
    registry.register("support", model)
    (Path(registry.store.place) / "blobs" / MARKER).write_bytes(content)
    if error is CorruptFileError:
        again = Registry(registry.store.place)
        again.manifest("support")
        with pytest.raises(error, match=why):
            again.gc()
        assert Registry.adopt(registry.store.place).gc(older_than=0).blobs == 0
    else:
        with pytest.raises(error, match=why):
            Registry(registry.store.place)


def test_keys_that_are_not_known_are_passed_over(registry: Registry, model: Path) -> None:
    """A marker and a head of a later hotbed that only added something."""
    registry.register("support", model)
    blobs = Path(registry.store.place) / "blobs"
    for path in (blobs / MARKER, *(blobs / HEADS).iterdir()):
        said = json.loads(path.read_bytes())
        path.write_text(json.dumps({**said, "later": [1]}), encoding="utf-8")
    again = Registry(registry.store.place)
    assert again.gc(older_than=0).blobs == 0
