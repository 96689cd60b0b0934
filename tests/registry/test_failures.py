"""Whatever happens to a registry's files: an error of hotbed, never a driver's or the system's."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from hotbed.errors import HotbedError, RegistryDamageError, RegistryUnavailableError
from hotbed.registry import Registry
from hotbed.testing import build_tiny

CALLS: dict[str, Callable[[Registry, Path], Any]] = {
    "register": lambda r, p: r.register("support", p / "model"),
    "resolve": lambda r, _: r.resolve("support@production"),
    "get": lambda r, _: r.get("support@0.0.1"),
    "manifest": lambda r, _: r.manifest("support"),
    "search": lambda r, _: r.search(),
    "compare": lambda r, _: r.compare("support@0.0.1", "support@0.0.2"),
    "annotate": lambda r, _: r.annotate("support", description="good"),
    "deprecate": lambda r, _: r.deprecate("support", "old"),
    "checkout": lambda r, _: r.checkout("support"),
    "export": lambda r, p: r.export(["support"], p / "out.tar"),
    "import_archive": lambda r, p: r.import_archive(p / "whole.tar"),
    "signatures": lambda r, _: r.signatures("support"),
    "promote": lambda r, _: r.promote("support@0.0.2", "production"),
    "rollback": lambda r, _: r.rollback("support", "production"),
    "previous": lambda r, _: r.previous("support@production"),
    "unset": lambda r, _: r.unset("support", "production"),
    "history": lambda r, _: r.history("support"),
    "alias_at": lambda r, _: r.alias_at("support", "production", "2036-01-01"),
    "delete": lambda r, _: r.delete("support@0.0.1"),
    "lease": lambda r, _: r.lease("support").__enter__(),
    "gc": lambda r, _: r.gc(older_than=0),
    "doctor": lambda r, _: r.doctor(),
    "audit": lambda r, _: r.audit(),
}
NOT_TRIED = {"close", "import_from", "sign", "verify", "checkout_version"}
"""What needs a network, a key or a version, and goes through the same calls."""


def test_every_public_method_is_tried() -> None:
    """A new one belongs into the list."""
    public = {n for n, m in vars(Registry).items() if not n.startswith("_") and callable(m)}
    assert public == set(CALLS) | NOT_TRIED


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A registry of two versions with an alias, closed: all of it is in one file."""
    place = tmp_path_factory.mktemp("source")
    model = build_tiny(place / "model")
    with Registry(place / "registry", who="ada") as registry:
        for number in range(2):
            registry.register("support", model, metrics={"a": number}, tags={"b": "c"})
        registry.promote("support@0.0.1", "production")
        registry.promote("support@0.0.2", "production")
        registry.export(["support"], place / "whole.tar")
    assert [path.name for path in (place / "registry").glob("*-wal")] == []
    return place


def try_all(place: Path, *, must_fail: bool = True, **options: Any) -> set[str]:
    """Call everything, each on a registry of its own; gives the kinds of errors."""
    kinds = set()
    for name, call in CALLS.items():
        try:
            with Registry(place / "registry", who="ada", create=False, **options) as registry:
                call(registry, place)
        except HotbedError as error:
            kinds.add(type(error).__name__)
        else:
            assert not must_fail, name
    return kinds


def flipped(start: int, step: int) -> Callable[[Path], None]:
    """Flip a bit every so many bytes."""

    def flip(path: Path) -> None:
        content = bytearray(path.read_bytes())
        for at in range(start, len(content), step):
            content[at] ^= 0x40
        path.write_bytes(content)

    return flip


def as_folder(path: Path) -> None:
    """A folder of that name."""
    path.unlink()
    path.mkdir()


WHOLE_FILE: dict[str, Callable[[Path], object]] = {
    "text": lambda path: path.write_text("not a database\n" * 100),
    "other database": lambda path: flipped(0, 1)(path),
    "a folder": as_folder,
    "gone": lambda path: path.unlink(),
    "no tables": lambda path: _run(path, "DROP TABLE versions"),
    "another schema": lambda path: _run(path, "ALTER TABLE versions RENAME COLUMN key TO k"),
    "cut to a page": lambda path: path.write_bytes(path.read_bytes()[:4096]),
}


def _run(path: Path, statement: str) -> None:
    import sqlite3

    with sqlite3.connect(path) as connection:
        connection.execute(statement)
    connection.close()


@pytest.mark.parametrize("name", WHOLE_FILE)
def test_a_file_that_is_no_registry(source: Path, tmp_path: Path, name: str) -> None:
    """Nearly every method fails, each with an error of hotbed; the doctor too, or it names it."""
    place = tmp_path / "place"
    shutil.copytree(source, place)
    WHOLE_FILE[name](place / "registry" / "registry.sqlite3")
    kinds = try_all(place, must_fail=name in ("text", "other database", "a folder", "gone"))
    assert kinds


@pytest.mark.parametrize("start", range(0, 4096, 512))
def test_flipped_bits(source: Path, tmp_path: Path, start: int) -> None:
    """Wherever they are, what fails fails with an error of hotbed."""
    place = tmp_path / "place"
    shutil.copytree(source, place)
    flipped(100 + start, 2500)(place / "registry" / "registry.sqlite3")
    try_all(place, must_fail=False)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE versions SET formats = '{'",
        "UPDATE versions SET version = 'x' || id, key = NULL",
        "UPDATE versions SET prerelease = 7, size = 'many'",
        "UPDATE versions SET created_at = CAST(x'ff41' AS TEXT)",
        "UPDATE events SET payload = '[]'",
        "UPDATE events SET payload = '{}'",
        "UPDATE events SET kind = 'rollback', payload = '{\"alias\": 3}'",
        "DELETE FROM chain",
        "UPDATE manifests SET content = '['",
        "DELETE FROM manifests",
    ],
)
def test_rows_that_hotbed_never_wrote(source: Path, tmp_path: Path, statement: str) -> None:
    """They are damage, and no KeyError of whoever reads them."""
    place = tmp_path / "place"
    shutil.copytree(source, place)
    path = place / "registry" / "registry.sqlite3"
    import sqlite3

    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA ignore_check_constraints = ON")
    connection.execute("PRAGMA writable_schema = ON")
    connection.execute("UPDATE sqlite_master SET sql = replace(sql, 'NOT NULL', '')")
    connection.close()
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute(statement)
    connection.close()
    assert try_all(place, must_fail=False)


def test_the_kinds_of_errors(source: Path, tmp_path: Path) -> None:
    """Damage is told from an outage, and the cause is chained."""
    place = tmp_path / "place"
    shutil.copytree(source, place)
    path = place / "registry" / "registry.sqlite3"
    registry = Registry(place / "registry")
    registry.close()
    path.write_text("not a database\n" * 100)
    with pytest.raises(
        RegistryDamageError, match="not a database.*Put a copy of it back"
    ) as caught:
        registry.resolve("support")
    assert caught.value.__cause__ is not None
    path.unlink()
    with pytest.raises(RegistryUnavailableError, match="refused: unable to open"):
        registry.resolve("support")
    shutil.copy(source / "registry" / "registry.sqlite3", path)
    assert str(registry.resolve("support")) == "support@0.0.2"  # it ended when it ended


def test_a_file_that_takes_the_place_of_another_is_seen(source: Path, tmp_path: Path) -> None:
    """A copy put back by renaming is read from the next call on, not the file that is gone."""
    place = tmp_path / "place"
    shutil.copytree(source, place)
    registry = Registry(place / "registry")
    registry.annotate("support", description="later")
    shutil.copy(source / "registry" / "registry.sqlite3", place / "copy")
    for path in (place / "registry").glob("registry.sqlite3-*"):
        path.unlink()
    (place / "copy").rename(place / "registry" / "registry.sqlite3")
    assert registry.resolve("support").description == ""
    registry.close()


def test_values_that_no_column_takes(registry: Registry, model: Path) -> None:
    """The caller's mistake, and told as one."""
    registry.register("support", model)
    for query in ({"name": "\ud800"}, {"limit": 10**30}, {"text": "\ud800"}):
        with pytest.raises(HotbedError, match="cannot store"):
            registry.search(**query)
    with pytest.raises(HotbedError):
        registry.annotate("support", description="\ud800")
    with pytest.raises(HotbedError):
        registry.deprecate("support", "\ud800")
    with pytest.raises(HotbedError):
        registry.promote("support", "production", why="\ud800")
    with registry.store.database.reading() as connection:
        assert connection.execute(text("SELECT count(*) FROM aliases")).scalar() == 0


def test_paths_that_are_none(tmp_path: Path) -> None:
    """Too long, a NUL, links in a circle, a file where a folder should be."""
    circle = tmp_path / "circle"
    circle.symlink_to(circle)
    file = tmp_path / "file"
    file.write_text("x")
    for where in ("x" * 5000, tmp_path / "a\0b", circle, file, file / "inside"):
        for create in (True, False):
            with pytest.raises(HotbedError):
                Registry(where, create=create)
    for url in ("postgresql://", "postgresql://u:p@h:port/x", "mysql://h/x", "postgresql://[/x"):
        with pytest.raises(HotbedError):
            Registry(url, blobs=tmp_path, create=False)
