"""File digests and their cache."""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import sqlite3
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hotbed.models.digests import DigestCache, combine, sha256


@pytest.fixture
def cache(tmp_path: Path) -> DigestCache:
    """An empty cache."""
    return DigestCache(tmp_path / "digests" / "digests.sqlite3")


def expected(content: bytes) -> str:
    """The oracle: hashlib over the bytes."""
    return hashlib.sha256(content).hexdigest()


def test_a_digest_is_sha256(tmp_path: Path, cache: DigestCache) -> None:
    """A file's digest is the sha256 of its bytes, fresh and remembered."""
    path = tmp_path / "file"
    path.write_bytes(b"weights")
    assert sha256(path) == cache.file(path) == cache.file(path) == expected(b"weights")


def test_a_changed_file_is_read_again(tmp_path: Path, cache: DigestCache) -> None:
    """Other bytes of the same size under the same name give another digest."""
    path = tmp_path / "file"
    path.write_bytes(b"aaaa")
    cache.file(path)
    path.write_bytes(b"bbbb")
    os.utime(path, ns=(1, 1))
    assert cache.file(path) == expected(b"bbbb")


def test_a_replaced_file_is_read_again(tmp_path: Path, cache: DigestCache) -> None:
    """A file moved over another with size and mtime kept is told apart by its inode."""
    path, other = tmp_path / "file", tmp_path / "other"
    path.write_bytes(b"aaaa")
    other.write_bytes(b"bbbb")
    for file in (path, other):
        os.utime(file, ns=(5, 5))
    cache.file(path)
    other.replace(path)
    assert cache.file(path) == expected(b"bbbb")


def test_an_unchanged_file_is_not_read_again(tmp_path: Path, cache: DigestCache) -> None:
    """The remembered digest is used: an entry planted in the database comes back."""
    path = tmp_path / "file"
    path.write_bytes(b"aaaa")
    cache.file(path)
    with sqlite3.connect(cache.database) as connection:
        connection.execute("UPDATE digests SET sha256 = 'planted'")
    connection.close()
    assert cache.file(path) == "planted"


def _garbage(database: Path) -> None:
    database.write_bytes(b"not a database " * 100)


def _folder(database: Path) -> None:
    database.mkdir()


def _foreign(database: Path) -> None:
    connection = sqlite3.connect(database)
    connection.execute("CREATE TABLE digests (name TEXT)")
    connection.commit()
    connection.close()


@pytest.mark.parametrize("spoil", [_garbage, _folder, _foreign])
def test_an_unusable_database_only_warns(
    tmp_path: Path,
    cache: DigestCache,
    spoil: pytest.FixtureRequest,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Where the database cannot be used files are hashed each time, and the log says so."""
    cache.database.parent.mkdir()
    spoil(cache.database)  # type: ignore[operator]
    path = tmp_path / "file"
    path.write_bytes(b"aaaa")
    with caplog.at_level(logging.WARNING, "hotbed.models"):
        assert cache.file(path) == expected(b"aaaa")
        path.write_bytes(b"bb")
        assert cache.file(path) == expected(b"bb")
    assert str(cache.database) in caplog.text


def test_a_place_that_cannot_be_made_only_warns(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A cache below a file, where no folder can be made, still hashes."""
    (tmp_path / "file").write_bytes(b"aaaa")
    cache = DigestCache(tmp_path / "file" / "below" / "digests.sqlite3")
    assert cache.file(tmp_path / "file") == expected(b"aaaa")
    assert "not remembered" in caplog.text


def test_a_missing_file_is_an_error(tmp_path: Path, cache: DigestCache) -> None:
    """A file that is not there has no digest."""
    with pytest.raises(FileNotFoundError):
        cache.file(tmp_path / "none")


@given(st.dictionaries(st.text(min_size=1), st.text("0123456789abcdef", min_size=64, max_size=64)))
def test_a_folders_digest_does_not_depend_on_order(files: dict[str, str]) -> None:
    """The same files in any order give one digest, and any change gives another."""
    pairs = list(files.items())
    assert combine(pairs) == combine(reversed(pairs))
    if pairs:
        (name, digest), *rest = pairs
        assert combine(rest) != combine(pairs)
        assert combine([(name + "x", digest), *rest]) != combine(pairs)


def test_a_memory_of_another_version(cache: DigestCache, tmp_path: Path) -> None:
    """The frozen table without a version is taken over; a newer one is left alone."""
    cache.database.parent.mkdir()
    sample = (Path(__file__).parents[1] / "data" / "digests-0.sql").read_text(encoding="utf-8")
    path = tmp_path / "file"
    path.write_bytes(b"aaaa")
    stat = path.stat()
    values = (str(path), stat.st_ino, stat.st_size, stat.st_mtime_ns, "remembered")
    with contextlib.closing(sqlite3.connect(cache.database)) as connection:
        connection.executescript(sample)
        connection.execute("INSERT INTO digests VALUES (?,?,?,?,?)", values)
        connection.commit()
    assert cache.file(path) == "remembered"
    with contextlib.closing(sqlite3.connect(cache.database)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (1,)
        connection.execute("PRAGMA user_version = 2")
    assert cache.file(path) == expected(b"aaaa")


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="Windows has other rights")
@pytest.mark.parametrize("mode", [0o666, 0o602])
def test_a_memory_that_others_can_write_is_not_believed(
    cache: DigestCache, tmp_path: Path, mode: int
) -> None:
    """Else a stranger says which bytes are the right ones."""
    path = tmp_path / "file"
    path.write_bytes(b"aaaa")
    cache.file(path)
    with contextlib.closing(sqlite3.connect(cache.database)) as connection:
        connection.execute("UPDATE digests SET sha256 = 'forged'")
        connection.commit()
    assert cache.file(path) == "forged"
    cache.database.chmod(mode)
    assert cache.file(path) == expected(b"aaaa")
