"""Wait for a registry to change: PostgreSQL tells, SQLite is asked."""

from __future__ import annotations

import logging
import threading
import time
from typing import Any, Protocol

from attrs import define
from sqlalchemy.exc import SQLAlchemyError

from hotbed.registry.database import Database
from hotbed.registry.events import CHANNEL

__all__ = ["Notified", "Polled", "Watch", "watch"]

_log = logging.getLogger("hotbed.registry")

_SLICE = 0.5
"""Seconds after which a waiting thread looks whether it should stop."""


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
class Notified:
    """PostgreSQL's LISTEN, on a connection of its own; while that is broken, time.

    Attributes:
        database: The database.
    """

    database: Database
    _connection: Any = None

    def wait(self, seconds: float, stop: threading.Event) -> None:
        """Wait for an event that somebody committed."""
        import psycopg

        until = time.monotonic() + seconds
        try:
            if self._connection is None:
                self._connection = self._listen()
                return  # what happened before it listened is not told
            while (left := until - time.monotonic()) > 0 and not stop.is_set():
                for _ in self._connection.notifies(timeout=min(left, _SLICE), stop_after=1):
                    return
        except (psycopg.Error, SQLAlchemyError, OSError) as error:
            _log.warning("the registry's notifications are lost, it is asked instead: %s", error)
            self.close()
            stop.wait(max(0.0, until - time.monotonic()))

    def close(self) -> None:
        """Close the connection."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _listen(self) -> Any:
        pooled = self.database.engine().raw_connection()
        connection: Any = pooled.driver_connection
        pooled.detach()  # from the pool: it listens until it is closed
        connection.rollback()
        connection.autocommit = True
        connection.execute(f"LISTEN {CHANNEL}")
        return connection


def watch(database: Database) -> Watch:
    """What waits for a database's changes best."""
    return Polled() if database.file is not None else Notified(database)
