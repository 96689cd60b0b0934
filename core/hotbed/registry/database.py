"""One database, two kinds: SQLite beside the blobs, PostgreSQL by URL. Writers take turns.

The chain of events has one end, so writers take turns in any case: ``BEGIN IMMEDIATE`` on SQLite,
an advisory lock of the transaction on PostgreSQL. A transaction that cannot begin waits.
"""

from __future__ import annotations

import contextlib
import functools
import os
import sqlite3
import sys
import threading
import weakref
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from attrs import define, field
from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.pool import QueuePool

from hotbed.errors import RegistryError, UsageError

__all__ = ["Database", "filesystem", "is_remote", "shown", "turn"]

_WAIT = 60.0
"""Seconds that a writer waits for its turn: sixteen writers need far less."""

_LOCK = 0x686F74626564  # "hotbed": the key of the advisory lock

_REMOTE = frozenset({"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "afs", "lustre", "gpfs", "ceph"})
_REMOTE_FUSE = ("fuse.sshfs", "fuse.s3fs", "fuse.gcsfuse", "fuse.glusterfs", "fuse.rclone")


@define(eq=False)
class Database:
    """An open database.

    Attributes:
        url: SQLAlchemy's URL, or the path of a SQLite file.
    """

    url: str
    _engine: Engine | None = field(default=None, init=False)
    _process: int = field(default=0, init=False)
    _parents: list[Engine] = field(factory=list, init=False)
    _lock: threading.Lock = field(factory=threading.Lock, init=False)

    @property
    def file(self) -> Path | None:
        """The SQLite file; None for a server."""
        return None if "://" in self.url else Path(self.url)

    def engine(self) -> Engine:
        """The engine, made anew after a fork: connections do not survive one."""
        with self._lock:
            if self._engine is None or self._process != os.getpid():
                if self._engine is not None:  # the parent's: closing it here would be felt there
                    self._parents.append(self._engine)
                self._engine = _open(self.url)
                self._process = os.getpid()
                weakref.finalize(self, _close, self._engine, self._process)
            return self._engine

    @contextlib.contextmanager
    def reading(self) -> Iterator[Connection]:
        """A transaction that sees one state and writes nothing."""
        with _told(self.url), self.engine().connect() as connection:
            yield connection

    @contextlib.contextmanager
    def writing(self) -> Iterator[Connection]:
        """The one writing transaction there is at a time; all of it happens, or nothing."""
        engine = self.engine().execution_options(writes=True)
        with _told(self.url), turn(self.file), engine.begin() as connection:
            if connection.dialect.name == "postgresql":
                connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
            yield connection

    def close(self) -> None:
        """Close every connection."""
        with self._lock:
            if self._engine is not None and self._process == os.getpid():
                self._engine.dispose()
            self._engine = None


def _close(engine: Engine, process: int) -> None:
    """Close the connections of a database that nobody holds any more, in its own process."""
    if process == os.getpid():
        engine.dispose()


def _open(url: str) -> Engine:
    if "://" in url:
        if url.startswith("postgres://"):
            url = url.replace("postgres://", "postgresql://", 1)
        if url.startswith("postgresql://"):
            url = url.replace("postgresql://", "postgresql+psycopg://", 1)
        if not url.startswith("postgresql+psycopg://"):
            scheme = url.partition("://")[0]
            raise UsageError(
                f"a registry is a folder or a postgresql:// URL, and {scheme}:// is neither"
            )
        try:
            return create_engine(url, pool_pre_ping=True)
        except ModuleNotFoundError as error:
            raise RegistryError(
                "PostgreSQL needs psycopg, which is not installed; "
                'fix: pip install "hotbed[postgres]"'
            ) from error
    path = Path(url)
    _require_local(path.parent)
    # "rw" and not "rwc": a file that is gone, as of a volume that is not mounted, is an error, and
    # no empty one takes its place.
    place = f"{path.absolute().as_uri()}?mode=rw"
    connect = functools.partial(sqlite3.connect, place, uri=True, check_same_thread=False)
    engine = create_engine("sqlite://", creator=connect, poolclass=QueuePool)
    event.listen(engine, "connect", _prepare)
    event.listen(engine, "begin", _begin)
    return engine


def _prepare(connection: Any, _: Any) -> None:
    connection.isolation_level = None  # transactions begin where we say so
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout = {int(_WAIT * 1000)}")
    cursor.execute("PRAGMA journal_mode = WAL")
    cursor.execute("PRAGMA synchronous = FULL")  # a commit survives a power cut
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.close()


def _begin(connection: Connection) -> None:
    writes = connection.get_execution_options().get("writes")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


@contextlib.contextmanager
def turn(file: Path | None) -> Iterator[None]:
    """Wait for this writer's turn, awake as soon as it comes.

    SQLite keeps two writers apart by itself, and has them sleep longer and longer in between. This
    is only for speed: where there are no such locks, or they do nothing, SQLite's own hold.
    """
    if file is None or sys.platform == "win32":
        yield
        return
    import fcntl

    with file.with_name(f"{file.name}.turn").open("ab") as queue:
        with contextlib.suppress(OSError):
            fcntl.flock(queue, fcntl.LOCK_EX)
        yield


def shown(url: str) -> str:
    """A database's place for messages: never a password, nor what may hold one."""
    return url.partition("?")[0].rpartition("@")[2]


@contextlib.contextmanager
def _told(url: str) -> Iterator[None]:
    try:
        yield
    except OperationalError as error:
        raise RegistryError(
            f"the registry's database {shown(url)} refused: {error.orig}"
        ) from error


def _require_local(folder: Path) -> None:
    """Refuse a network file system: its locks may let two writers in, which destroys the file.

    Raises:
        RegistryError: The folder is on one.
    """
    kind = filesystem(folder.resolve(), _mounts())
    if is_remote(kind):
        raise RegistryError(
            f"{folder} is on a network file system ({kind}), where SQLite's locks cannot be relied "
            f"on (sqlite.org/useovernet.html). Keep the database on a local disk, or use "
            f"postgresql://"
        )


def is_remote(kind: str) -> bool:
    """Whether a kind of file system is a network's, on which locks are promises."""
    return kind in _REMOTE or kind.startswith(_REMOTE_FUSE)


def filesystem(folder: Path, mounts: Iterable[tuple[str, str]]) -> str:
    """The kind of file system under a folder; ``""`` where the system does not tell.

    Args:
        folder: The folder.
        mounts: Where file systems are mounted, and their kinds.
    """
    found, longest = "", -1
    for point, kind in mounts:
        if folder.is_relative_to(point) and len(point) > longest:
            found, longest = kind, len(point)
    return found


@functools.cache
def _mounts() -> tuple[tuple[str, str], ...]:
    path = Path("/proc/self/mountinfo")
    if not path.exists():
        return ()
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    rows = [line.split(" ") for line in lines]
    return tuple(
        (row[4].encode().decode("unicode_escape"), row[row.index("-") + 1])
        for row in rows
        if "-" in row
    )
