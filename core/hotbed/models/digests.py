"""sha256 of files, remembered by (path, inode, size, mtime in ns) so that loading stays quick."""

from __future__ import annotations

import contextlib
import hashlib
import logging
import sqlite3
from collections.abc import Iterable
from pathlib import Path

from attrs import define

__all__ = ["DigestCache", "combine", "sha256"]

_log = logging.getLogger("hotbed.models")

_SCHEMA = """
CREATE TABLE IF NOT EXISTS digests (
    path TEXT PRIMARY KEY, inode INTEGER, size INTEGER, mtime_ns INTEGER, sha256 TEXT
) WITHOUT ROWID
"""


def sha256(path: Path) -> str:
    """Hash a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def combine(digests: Iterable[tuple[str, str]]) -> str:
    """The digest of a folder: sha256 over its sorted (path, sha256 of file) pairs."""
    whole = hashlib.sha256()
    for path, digest in sorted(digests):
        whole.update(f"{path}\0{digest}\n".encode())
    return whole.hexdigest()


@define
class DigestCache:
    """Digests of files, kept in a small database that several processes may share.

    The database only saves work: where it cannot be opened, files are hashed each time, and the
    log says so.
    """

    database: Path

    def file(self, path: Path) -> str:
        """The file's sha256; read again only if inode, size or mtime changed."""
        return self.files([path])[path]

    def files(self, paths: Iterable[Path]) -> dict[Path, str]:
        """The sha256 of each file."""
        wanted = {path: _identity(path) for path in paths}
        with contextlib.closing(self._connect()) as connection:
            digests = self._recall(connection, wanted)
            fresh = {path: sha256(path) for path in wanted if path not in digests}
            # A file that changed while it was read keeps no entry.
            stable = {path: d for path, d in fresh.items() if _identity(path) == wanted[path]}
            self._remember(connection, {(p, wanted[p]): d for p, d in stable.items()})
        return digests | fresh

    def _connect(self) -> sqlite3.Connection:
        try:
            self.database.parent.mkdir(parents=True, exist_ok=True)
            connection = sqlite3.connect(self.database, timeout=5.0, isolation_level=None)
            try:
                connection.execute(_SCHEMA)
            except sqlite3.Error:
                connection.close()
                raise
        except (sqlite3.Error, OSError) as error:
            _log.warning("digests are not remembered: %s: %s", self.database, error)
            connection = sqlite3.connect(":memory:", isolation_level=None)
            connection.execute(_SCHEMA)
        return connection

    def _recall(
        self, connection: sqlite3.Connection, wanted: dict[Path, tuple[int, int, int]]
    ) -> dict[Path, str]:
        digests: dict[Path, str] = {}
        try:
            for path, identity in wanted.items():
                row = connection.execute(
                    "SELECT sha256 FROM digests "
                    "WHERE path = ? AND inode = ? AND size = ? AND mtime_ns = ?",
                    (str(path.absolute()), *identity),
                ).fetchone()
                if row is not None:
                    digests[path] = row[0]
        except sqlite3.Error as error:
            _log.warning("digests cannot be recalled: %s: %s", self.database, error)
            return {}
        return digests

    def _remember(
        self,
        connection: sqlite3.Connection,
        digests: dict[tuple[Path, tuple[int, int, int]], str],
    ) -> None:
        if not digests:
            return
        rows = [(str(p.absolute()), *identity, d) for (p, identity), d in digests.items()]
        try:
            with connection:
                connection.executemany("INSERT OR REPLACE INTO digests VALUES (?,?,?,?,?)", rows)
        except sqlite3.Error as error:
            _log.warning("digests are not remembered: %s: %s", self.database, error)


def _identity(path: Path) -> tuple[int, int, int]:
    stat = path.stat()
    return stat.st_ino, stat.st_size, stat.st_mtime_ns
