"""sha256 of files, remembered by (path, inode, size, mtime in ns) so that loading stays quick."""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import sqlite3
from collections.abc import Iterable
from pathlib import Path

from attrs import define

from hotbed.ownership import is_ours

__all__ = ["DigestCache", "combine", "sha256"]

_log = logging.getLogger("hotbed.models")

_APPLICATION, _VERSION = 0x686F7464, 1
"""``hotd``, which names the format in the database's header."""

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

    The database only saves work: where it cannot be opened or written, where somebody else could
    have written it, or where a newer hotbed did, files are hashed each time, and the log says so.
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
            if self.database.exists() and not is_ours(self.database):
                raise PermissionError("somebody else can write it")
            connection = sqlite3.connect(self.database, timeout=5.0, isolation_level=None)
            try:
                _prepare(connection)
            except sqlite3.Error:
                connection.close()
                raise
        except (sqlite3.Error, OSError) as error:
            self._tell(error)
            connection = sqlite3.connect(":memory:", isolation_level=None)
            connection.execute(_SCHEMA)
        return connection

    def _tell(self, error: Exception) -> None:
        """A place that nobody may write to is how images are served, and no cause for alarm."""
        meant = "readonly" in str(error) or not os.access(self.database.parent, os.W_OK)
        level = logging.INFO if meant and self.database.parent.is_dir() else logging.WARNING
        _log.log(level, "digests are not remembered: %s: %s", self.database, error)

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
            self._tell(error)


def _prepare(connection: sqlite3.Connection) -> None:
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version > _VERSION:
        raise sqlite3.NotSupportedError(f"a newer hotbed wrote it: version {version}")
    connection.execute(_SCHEMA)  # writes nothing where the table is there
    if version < _VERSION:
        with contextlib.suppress(sqlite3.OperationalError):  # on a disk that takes nothing
            connection.execute(f"PRAGMA application_id = {_APPLICATION}")
            connection.execute(f"PRAGMA user_version = {_VERSION}")


def _identity(path: Path) -> tuple[int, int, int]:
    stat = path.stat()
    return stat.st_ino, stat.st_size, stat.st_mtime_ns
