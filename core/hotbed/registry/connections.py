"""Connections to a database, shared by all that use it in one process, and closed with the last.

SQLite is opened for reading only where this user may not write: somebody else's registry, a mount
that is read-only. No reader needs to write then, not even the files of SQLite's own locks.
"""

from __future__ import annotations

import contextlib
import functools
import os
import sqlite3
import threading
import weakref
from pathlib import Path
from typing import Any

from attrs import define, field
from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import ArgumentError, DisconnectionError, OperationalError
from sqlalchemy.pool import QueuePool

from hotbed.errors import RegistryError, UsageError
from hotbed.registry.filesystems import require_local
from hotbed.registry.reserve import lent_reserve
from hotbed.registry.waits import Wait

__all__ = ["Connections", "connections", "is_writable", "sqlite_state"]

_POOL = 3
"""Connections that stay open; writers of one process take turns, so that readers have them."""

_MORE = 5
"""Connections that are opened besides while many threads read at once."""

_CONNECT_S = 10
"""Seconds that a server has to accept a connection, where the limit of waits is no shorter."""

_WANT_SPACE = frozenset({sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN})


@define(eq=False, weakref_slot=True)
class Connections:
    """What one process has open of one database.

    Attributes:
        engine: SQLAlchemy's.
        writer: Held by the thread that writes; those that wait hold no connection.
        is_current: Whether the tables were found to be those of this hotbed.
        listener: What hears of changes, where the database tells.
    """

    engine: Engine
    writer: threading.Lock = field(factory=threading.Lock)
    is_current: bool = False
    listener: Any = None


_lock = threading.Lock()
_open: weakref.WeakValueDictionary[tuple[str, float], Connections] = weakref.WeakValueDictionary()
_parents: list[Connections] = []
"""Those of the parent, after a fork: closing them here would be felt there."""


def _after_fork() -> None:
    global _lock, _open
    _parents.extend(_open.values())
    _lock, _open = threading.Lock(), weakref.WeakValueDictionary()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


def connections(url: str, timeout_s: float) -> Connections:
    """The connections of this process to a database; whoever uses them holds what is given."""
    with _lock:
        found = _open.get((url, timeout_s))
        if found is None:
            engine = _server(url, timeout_s) if "://" in url else _file(Path(url), timeout_s)
            found = _open[url, timeout_s] = Connections(engine)
            if "://" not in url:
                mine = weakref.ref(found)  # the engine must not be what keeps it
                event.listen(engine, "checkout", functools.partial(_require_same, mine, Path(url)))
            weakref.finalize(found, _close, engine, os.getpid())
        return found


def _close(engine: Engine, process: int) -> None:
    """Close what nobody uses any more, in its own process."""
    if process == os.getpid():
        engine.dispose()


def _server(url: str, timeout_s: float) -> Engine:
    if url.startswith("postgres://"):
        url = url.replace("postgres://", "postgresql://", 1)
    if url.startswith("postgresql://"):
        url = url.replace("postgresql://", "postgresql+psycopg://", 1)
    if not url.startswith("postgresql+psycopg://"):
        scheme = url.partition("://")[0]
        raise UsageError(
            f"a registry is a folder or a postgresql:// URL, and {scheme}:// is neither"
        )
    # A network that is gone in the middle of an answer is noticed within the same limit.
    limits = {"connect_timeout": _within(timeout_s), "tcp_user_timeout": _milliseconds(timeout_s)}
    options = {name: value for name, value in limits.items() if name not in url}
    try:
        engine = create_engine(
            url,
            pool_pre_ping=True,
            pool_size=_POOL,
            max_overflow=_MORE,
            pool_timeout=timeout_s,
            connect_args=options,
        )
    except ModuleNotFoundError as error:
        raise RegistryError(
            'PostgreSQL needs psycopg, which is not installed; fix: pip install "hotbed[postgres]"'
        ) from error
    except (ArgumentError, ValueError):  # their messages hold the password
        raise UsageError(
            "the URL of the registry cannot be read; write postgresql://user:password@host/database"
            ", and %-escapes for what is special in a password"
        ) from None
    event.listen(engine, "connect", functools.partial(_limit, timeout_s))
    return engine


def _within(timeout_s: float) -> int:
    return max(2, min(_CONNECT_S, int(timeout_s)))  # libpq takes whole seconds, from 2


def _limit(timeout_s: float, connection: Any, _: Any) -> None:
    """Let the server end what waits too long, a lock or a statement."""
    limit = max(1, int(timeout_s * 1000))
    connection.execute(f"SET lock_timeout = {limit}")
    connection.commit()


def _file(path: Path, timeout_s: float) -> Engine:
    require_local(path.parent)
    engine = create_engine(
        "sqlite://",
        creator=functools.partial(_connect, path, timeout_s),
        poolclass=QueuePool,
        pool_timeout=timeout_s,
    )
    event.listen(engine, "connect", functools.partial(_note, path))
    event.listen(engine, "begin", functools.partial(_begin, timeout_s))
    return engine


def is_writable(path: Path) -> bool:
    """Whether this user may write a SQLite file, and what lies beside it meanwhile."""
    return os.access(path, os.W_OK) and os.access(path.parent, os.W_OK)


def _connect(path: Path, timeout_s: float) -> sqlite3.Connection:
    try:
        return _connect_once(path, timeout_s)
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode & 0xFF not in _WANT_SPACE:
            raise
        with lent_reserve(path) as lent:
            if not lent:
                raise
            return _connect_once(path, timeout_s)


def _connect_once(path: Path, timeout_s: float) -> sqlite3.Connection:
    # "rw" and not "rwc": a file that is gone, as of a volume that is not mounted, is an error, and
    # no empty one takes its place.
    writable = is_writable(path) or not path.exists()
    mode = "mode=rw" if writable else _reading_mode(path)
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?{mode}", uri=True, check_same_thread=False
    )
    try:
        connection.isolation_level = None  # transactions begin where we say so
        connection.execute(f"PRAGMA busy_timeout = {_milliseconds(timeout_s)}")
        if writable:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")  # a commit survives a power cut
        connection.execute("PRAGMA foreign_keys = ON")
    except BaseException:
        connection.close()
        raise
    return connection


def _reading_mode(path: Path) -> str:
    """How to read where nothing may be written.

    A writer that has the file open keeps ``-shm`` beside it, and readers use that. Where there is
    none nobody writes, and SQLite may take the file for one that does not change; who reads looks
    afterwards whether that was so. What a killed writer left in ``-wal`` would be passed over then.
    """
    wal, shared = (path.with_name(f"{path.name}{ending}") for ending in ("-wal", "-shm"))
    with contextlib.suppress(OSError):
        if shared.exists() or wal.stat().st_size:
            return "mode=ro"
    return "mode=ro" if os.access(path.parent, os.W_OK) else "immutable=1"


def _note(path: Path, _: Any, record: Any) -> None:
    record.info["state"] = sqlite_state(path)


def _require_same(
    found: weakref.ref[Connections], path: Path, _: Any, record: Any, __: Any
) -> None:
    """Open anew what lies under the path now, where that is another file than before.

    Raises:
        DisconnectionError: It is; the pool opens it anew.
    """
    if record.info.get("state") != sqlite_state(path):
        if (mine := found()) is not None:
            mine.is_current = False
        raise DisconnectionError


def sqlite_state(path: Path) -> tuple[int, ...]:
    """What tells one file from another; of one that is taken not to change, from itself later."""
    try:
        stat = path.stat()
    except OSError:
        return ()
    if is_writable(path) or _reading_mode(path) == "mode=ro":
        return stat.st_dev, stat.st_ino
    return stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns


def _begin(timeout_s: float, connection: Connection) -> None:
    wait: Wait | None = connection.get_execution_options().get("wait")
    if wait is None:
        connection.exec_driver_sql("BEGIN")
        return
    while True:
        connection.exec_driver_sql(f"PRAGMA busy_timeout = {_milliseconds(wait.patience)}")
        try:
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        except OperationalError as error:
            if getattr(error.orig, "sqlite_errorcode", 0) & 0xFF != sqlite3.SQLITE_BUSY:
                raise
            wait.check()
        else:
            break
    connection.exec_driver_sql(f"PRAGMA busy_timeout = {_milliseconds(timeout_s)}")


def _milliseconds(seconds: float) -> int:
    return max(1, int(seconds * 1000))
