"""Wait for a registry to change: PostgreSQL tells, SQLite is asked.

One thread of a process listens to a database, on one connection, for all who wait: fifty
deployments cost a server no more than one.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections import Counter
from typing import Any, Protocol

from attrs import define, field
from sqlalchemy.exc import SQLAlchemyError

from hotbed.registry.connections import Connections
from hotbed.registry.database import Database
from hotbed.registry.events import CHANNEL

__all__ = ["Listener", "Notified", "Polled", "Watch", "watch"]

_log = logging.getLogger("hotbed.registry")

_SLICE = 0.5
"""Seconds after which a waiting thread looks whether it should stop."""

_LONGEST_PAUSE = 5.0
"""Seconds between two attempts to listen to a server that is gone."""


class Watch(Protocol):
    """Waits. A protocol, because databases tell of changes in different ways."""

    def wait(self, seconds: float, stop: threading.Event) -> None:
        """Return when something may have changed, after so many seconds, or when told to stop."""
        ...

    def close(self) -> None:
        """Give back what waiting needed."""
        ...


@define
class Polled:
    """Time is all there is: whoever waits asks again."""

    def wait(self, seconds: float, stop: threading.Event) -> None:
        """Wait so many seconds."""
        stop.wait(seconds)

    def close(self) -> None:
        """Nothing to give back."""


@define(eq=False)
class Listener:
    """PostgreSQL's LISTEN, on a connection of its own, in a thread that lives while one waits.

    Attributes:
        changed: Notified when something was heard, or when it listens again.
    """

    changed: threading.Condition = field(factory=threading.Condition)
    _users: int = 0
    _since: int = 0
    _of_model: Counter[str] = field(factory=Counter)
    _thread: threading.Thread | None = None

    def heard(self, model: str) -> int:
        """How often something was heard of a model; ``""`` for any. Grows when it listens anew."""
        told = self._of_model[model] if model else self._of_model.total()
        return self._since + told

    def join(self, connections: Connections) -> None:
        """Begin to wait; the first starts the thread."""
        with self.changed:
            self._users += 1
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._run, args=(connections,), name="hotbed-listen", daemon=True
                )
                self._thread.start()

    def leave(self) -> None:
        """Wait no more; with the last the thread ends and its connection is closed."""
        with self.changed:
            self._users -= 1
            self.changed.notify_all()

    def _run(self, connections: Connections) -> None:
        import psycopg

        connection: Any = None
        pause = _SLICE
        while self._goes_on():
            try:
                if connection is None:
                    connection = _listen(connections)
                    pause = _SLICE
                    self._hear("")  # what happened before it listened is not told
                for note in connection.notifies(timeout=_SLICE, stop_after=1):
                    self._hear(note.payload)
            except (psycopg.Error, SQLAlchemyError, OSError) as error:
                if connection is not None or pause == _SLICE:
                    _log.warning(
                        "the registry's notifications are lost, it is asked instead: %s", error
                    )
                _close(connection)
                connection = None
                with self.changed:
                    self.changed.wait_for(lambda: not self._users, pause)
                pause = min(2 * pause, _LONGEST_PAUSE)
        _close(connection)

    def _goes_on(self) -> bool:
        with self.changed:
            if not self._users:
                self._thread = None
            return bool(self._users)

    def _hear(self, model: str) -> None:
        with self.changed:
            if model:
                self._of_model[model] += 1
            else:
                self._since += 1
            self.changed.notify_all()


@define(eq=False)
class Notified:
    """Waits for what the listener of this process hears; while that hears nothing, for time.

    Attributes:
        database: The database.
        model: The model that events are about; ``""`` for any.
    """

    database: Database
    model: str = ""
    _listener: Listener | None = None
    _heard: int = 0

    def wait(self, seconds: float, stop: threading.Event) -> None:
        """Wait for an event that somebody committed."""
        until = time.monotonic() + seconds
        listener = self._joined()
        with listener.changed:
            while listener.heard(self.model) == self._heard and not stop.is_set():
                left = until - time.monotonic()
                if left <= 0:
                    return
                listener.changed.wait(min(left, _SLICE))
            self._heard = listener.heard(self.model)

    def close(self) -> None:
        """Wait no more."""
        listener, self._listener = self._listener, None
        if listener is not None:
            listener.leave()

    def _joined(self) -> Listener:
        if self._listener is None:
            self._listener = listener_of(self.database)
        return self._listener


_lock = threading.Lock()


def listener_of(database: Database) -> Listener:
    """The listener that all of this process share, joined."""
    mine = database.connections()
    with _lock:
        if mine.listener is None:
            mine.listener = Listener()
        listener: Listener = mine.listener
    listener.join(mine)
    return listener


def watch(database: Database, model: str = "") -> Watch:
    """What waits for a database's changes best."""
    return Polled() if database.file is not None else Notified(database, model)


def _listen(connections: Connections) -> Any:
    pooled = connections.engine.raw_connection()
    connection: Any = pooled.driver_connection
    pooled.detach()  # from the pool: it listens until it is closed
    connection.rollback()
    connection.autocommit = True
    connection.execute(f"LISTEN {CHANNEL}")
    return connection


def _close(connection: Any) -> None:
    if connection is not None:
        with contextlib.suppress(Exception):  # it may be broken, and nobody uses it any more
            connection.close()
