"""One database, two kinds: SQLite beside the blobs, PostgreSQL by URL. Writers take turns.

The chain of events has one end, so writers take turns in any case: ``BEGIN IMMEDIATE`` on SQLite,
an advisory lock of the transaction on PostgreSQL. A transaction that cannot begin waits, all locks
together no longer than ``timeout_s``, and an error names who holds what it waited for.
"""

from __future__ import annotations

import contextlib
import os
import platform
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

from attrs import define, field
from sqlalchemy import Connection, TextClause, text
from sqlalchemy.exc import OperationalError

from hotbed.errors import RegistryDamageError, RegistryUnavailableError
from hotbed.registry.connections import Connections, connections, is_writable, sqlite_state
from hotbed.registry.failures import shown, translated
from hotbed.registry.reserve import keep_reserve, lent_reserve
from hotbed.registry.waits import Wait, sqlite_holder, turn

__all__ = ["TIMEOUT_S", "Database", "shown"]

TIMEOUT_S = 30.0
"""Seconds that one wait takes at most unless said: sixteen writers need far less."""

_LOCK = 0x686F74626564  # "hotbed": the key of the advisory lock
_LOCK_NOT_AVAILABLE = "55P03"

_BEFORE_WRITING = text(
    "SELECT set_config('lock_timeout', :limit, true), set_config('application_name', :name, true)"
)
_TAKE_TURN = text("SELECT pg_advisory_xact_lock(:key)")
_HOLDER = text(
    "SELECT a.pid, a.application_name, a.client_addr, a.xact_start FROM pg_locks AS l "
    "JOIN pg_stat_activity AS a USING (pid) WHERE l.locktype = 'advisory' AND l.granted "
    "AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database()) "
    "AND (l.classid::bigint << 32 | l.objid::bigint) = :key"
).bindparams(key=_LOCK)
_LOCKERS = text(
    "SELECT a.pid, a.application_name, a.client_addr, a.xact_start FROM pg_locks AS l "
    "JOIN pg_stat_activity AS a USING (pid) WHERE l.locktype = 'relation' AND l.granted "
    "AND l.pid <> pg_backend_pid() AND l.relation = ANY (ARRAY[to_regclass('chain'), "
    "to_regclass('versions'), to_regclass('aliases'), to_regclass('models'), "
    "to_regclass('events')]::oid[]) AND l.mode NOT IN ('AccessShareLock', 'RowShareLock') "
    "ORDER BY a.xact_start LIMIT 1"
)


@define(eq=False)
class Database:
    """An open database.

    Attributes:
        url: SQLAlchemy's URL, or the path of a SQLite file.
        timeout_s: Seconds that one wait takes at most.
        actor: Who writes, for whoever waits meanwhile.
    """

    url: str
    timeout_s: float = TIMEOUT_S
    actor: str = ""
    _mine: Connections | None = field(default=None, init=False)
    _process: int = field(default=0, init=False)

    @property
    def file(self) -> Path | None:
        """The SQLite file; None for a server."""
        return None if "://" in self.url else Path(self.url)

    def connections(self) -> Connections:
        """Those that this process shares, made anew after a fork: they do not survive one."""
        mine = self._mine
        if mine is None or self._process != os.getpid():
            self._mine = mine = connections(self.url, self.timeout_s)
            self._process = os.getpid()
        return mine

    def prepare(self, before_making: Callable[[], None] | None = None) -> bool:
        """Bring the tables up to date, where that was not looked at yet.

        Args:
            before_making: Called before the first table is made; without it none is made.

        Returns:
            Whether the database was empty.
        """
        from hotbed.registry.migrating import migrate

        mine, made = self.connections(), False
        if not mine.is_current:
            made = migrate(self, before_making or self._refuse_empty)
            mine.is_current = True
            if self.file is not None and is_writable(self.file):
                keep_reserve(self.file)
        return made

    def _refuse_empty(self) -> None:
        raise RegistryDamageError(
            f"the registry's database {shown(self.url)} holds no tables any more; put a copy of "
            f"it back"
        )

    @contextlib.contextmanager
    def reading(self, *, prepared: bool = True) -> Iterator[Connection]:
        """A transaction that sees one state and writes nothing.

        Raises:
            RegistryUnavailableError, RegistryDamageError: The database cannot be read.
        """
        if prepared:
            self.prepare()
        with self._translated():
            mine = self.connections()
            with mine.engine.connect() as connection:
                connection.begin()
                before = self._state()
                yield connection
            if self._state() != before:
                raise RegistryUnavailableError(
                    f"the registry's database {shown(self.url)} was written while it was read, "
                    f"without locks that this user may see; try again"
                )

    @contextlib.contextmanager
    def writing(self, *, prepared: bool = True, frees: bool = False) -> Iterator[Connection]:
        """The one writing transaction there is at a time; all of it happens, or nothing.

        Args:
            prepared: Whether the tables have to be up to date.
            frees: Whether it frees space, and may use what was kept back for that.

        Raises:
            RegistryUnavailableError: The database cannot be reached, or others held it too long.
        """
        if prepared:
            self.prepare()
        self._require_writable()
        mine, file = self.connections(), self.file
        holder = self._server_holder if file is None else lambda: sqlite_holder(file)
        wait = Wait(shown(self.url), self.timeout_s, holder)
        with (
            lent_reserve(file, only_if_full=True) if frees and file else contextlib.nullcontext(),
            self._translated(),
            _held(mine.writer, wait),
            turn(file, wait, self.actor),
            mine.engine.connect().execution_options(wait=wait) as connection,
            connection.begin() if file is not None else self._turn_of(connection, wait),
        ):
            yield connection

    def close(self) -> None:
        """Let go of the connections; they are closed with the last who shares them."""
        self._mine = None

    @contextlib.contextmanager
    def _translated(self) -> Iterator[None]:
        """As ``translated``; of a lock of rows or tables, who may hold it is named too."""
        try:
            with translated(self.url):
                yield
        except RegistryUnavailableError as error:
            original = getattr(error.__cause__, "orig", None)
            if getattr(original, "sqlstate", "") != _LOCK_NOT_AVAILABLE:
                raise
            raise RegistryUnavailableError(
                f"{error}, after {self.timeout_s:g} s (timeout_s): {self._server_holder(_LOCKERS)}"
            ) from error.__cause__

    def _state(self) -> tuple[int, ...]:
        """Of a file that is read without locks: what would change with it."""
        file = self.file
        state = () if file is None else sqlite_state(file)
        return state if len(state) > 2 else ()

    def _require_writable(self) -> None:
        file = self.file
        if file is not None and file.exists() and not is_writable(file):
            whose = f"uid {os.getuid()}" if hasattr(os, "getuid") else "this user"
            raise RegistryUnavailableError(
                f"the registry {file.parent} can only be read here: {whose} may not write {file} "
                f"and its folder"
            )

    @contextlib.contextmanager
    def _turn_of(self, connection: Connection, wait: Wait) -> Iterator[None]:
        """Take the advisory lock; the first try is short, so that the log can say who has it."""
        name = f"hotbed {self.actor} {platform.node()}:{os.getpid()}"
        name = name.encode("ascii", "replace")[:63].decode()
        while True:
            connection.execute(_BEFORE_WRITING, _limits(wait.patience, name))
            try:
                connection.execute(_TAKE_TURN, {"key": _LOCK})
            except OperationalError as error:
                connection.rollback()
                if getattr(error.orig, "sqlstate", "") != _LOCK_NOT_AVAILABLE:
                    raise
                wait.check()
            else:
                break
        connection.execute(_BEFORE_WRITING, _limits(wait.left, name))  # of rows that others hold
        yield
        connection.commit()

    def _server_holder(self, query: TextClause = _HOLDER) -> str:
        try:
            with translated(self.url), self.connections().engine.connect() as connection:
                row = connection.execute(query).first()
        except RegistryUnavailableError:
            row = None
        if row is None:
            return "somebody holds it, and the server does not tell who"
        where = f" from {row.client_addr}" if row.client_addr else ""
        return (
            f"{row.application_name or 'somebody'}{where}, process {row.pid} of the server, has "
            f"held it since {row.xact_start}"
        )


def _limits(seconds: float, name: str) -> dict[str, str]:
    return {"limit": f"{max(1, int(1000 * seconds))}ms", "name": name}


@contextlib.contextmanager
def _held(lock: threading.Lock, wait: Wait) -> Iterator[None]:
    wait.acquire(lock)
    try:
        yield
    finally:
        lock.release()
