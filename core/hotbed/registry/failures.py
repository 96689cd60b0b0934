"""Every error that a database, its driver or its pool may raise, as one of hotbed's own.

All statements run inside ``translated``. What it gives depends on codes and not on messages:
SQLite's result codes (sqlite.org/rescode.html) and PostgreSQL's SQLSTATE (its manual, appendix A).
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from hotbed.errors import (
    HotbedError,
    RegistryDamageError,
    RegistryError,
    RegistryUnavailableError,
    UsageError,
)

__all__ = ["shown", "translated"]

_SQLITE: dict[int, type[HotbedError]] = {
    sqlite3.SQLITE_ERROR: RegistryDamageError,  # our statements are right: the tables are not ours
    sqlite3.SQLITE_CORRUPT: RegistryDamageError,
    sqlite3.SQLITE_NOTADB: RegistryDamageError,
    sqlite3.SQLITE_MISMATCH: RegistryDamageError,
    sqlite3.SQLITE_CONSTRAINT: RegistryError,
    sqlite3.SQLITE_TOOBIG: UsageError,
    sqlite3.SQLITE_RANGE: UsageError,
}
"""By primary result code; every other one says that the file cannot be used now."""

_SQLSTATE: tuple[tuple[str, type[HotbedError]], ...] = (
    ("22", UsageError),  # a value that no column takes
    ("23", RegistryError),  # a constraint
    ("3F", RegistryDamageError),  # no such schema
    ("42501", RegistryUnavailableError),  # no privilege
    ("42", RegistryDamageError),  # no such table or column
    ("54", UsageError),  # too large
    ("XX", RegistryDamageError),  # the server found its own files damaged
)
"""By the beginning of the code; every other one says that the server does not answer now."""

_CODES: dict[int, str] = {
    sqlite3.SQLITE_FULL: (
        "the disk is full: `hotbed registry gc` and `hotbed cache prune` free space on it"
    ),
    sqlite3.SQLITE_READONLY: "this user may not write the file or its folder",
    sqlite3.SQLITE_CANTOPEN: (
        "it is not there, or this user may not read it; a file in WAL mode beside which -wal is "
        "left over is opened once by somebody who may write its folder"
    ),
    sqlite3.SQLITE_BUSY: "another program holds it longer than timeout_s",
}

_DAMAGED = (
    "it is no database of a registry, or a damaged one. Put a copy of it back, or import versions "
    "from an archive into a new registry"
)

_ODD = (
    "`hotbed registry doctor --repair` writes rows anew that follow from the events; else put a "
    "copy of it back, or import versions from an archive into a new registry"
)

_ROWS = (ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RecursionError)
"""What reading rows raises that hotbed never wrote: all that runs inside works on rows."""


@contextmanager
def translated(url: str) -> Iterator[None]:
    """Raise what a database raises as an error of hotbed, the cause chained.

    Raises:
        RegistryUnavailableError: It cannot be reached or used now.
        RegistryDamageError: It is damaged, or holds what hotbed never wrote.
        RegistryError: It refused a row.
        UsageError: A value cannot be stored.
    """
    try:
        yield
    except HotbedError:
        raise
    except (SQLAlchemyError, sqlite3.Error) as error:
        raise _of_driver(error, url) from error
    except (OverflowError, UnicodeEncodeError) as error:  # raised where values are bound
        raise UsageError(
            f"the registry's database {shown(url)} cannot store a value: {error}"
        ) from error
    except _ROWS as error:
        raise RegistryDamageError(
            f"the registry's database {shown(url)} holds what hotbed cannot read "
            f"({type(error).__name__}: {error}). {_ODD}"
        ) from error
    except Exception as error:
        if type(error).__module__.partition(".")[0] != "psycopg":
            raise
        raise _of_driver(error, url) from error  # from a connection that SQLAlchemy does not see


def shown(url: str) -> str:
    """A database's place for messages: never a password, nor what may hold one."""
    if "://" not in url:
        return url
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        return f"{url.partition('://')[0]}://…"
    host = parsed.host or str(parsed.query.get("host", ""))
    port = f":{parsed.port}" if parsed.port else ""
    return f"{host}{port}/{parsed.database or ''}"


def _of_driver(error: Exception, url: str) -> HotbedError:
    original = getattr(error, "orig", None) or error
    kind, advice = _kind(original)
    # PostgreSQL adds the line of the statement, which nobody here wrote.
    lines = str(original).partition("\nLINE ")[0].split()
    said = _without_password(" ".join(lines) or type(original).__name__, url)
    if kind is UsageError:
        return UsageError(f"the registry's database {shown(url)} cannot store a value: {said}")
    ending = f"; {advice}" if advice else ""
    return kind(f"the registry's database {shown(url)} refused: {said}{ending}")


def _kind(original: BaseException) -> tuple[type[HotbedError], str]:
    if isinstance(original, sqlite3.Error):
        return _of_sqlite(original)
    state = getattr(original, "sqlstate", None)
    if state:
        kind = next((one for code, one in _SQLSTATE if state.startswith(code)), None)
        kind = kind or RegistryUnavailableError
    elif type(original).__name__ == "DataError" or isinstance(original, ValueError | TypeError):
        kind = UsageError  # psycopg refused a value before it was sent
    elif type(original).__name__ in ("NoResultFound", "MultipleResultsFound"):
        kind = RegistryDamageError
    else:
        kind = RegistryUnavailableError
    return kind, _DAMAGED if kind is RegistryDamageError else ""


def _of_sqlite(original: sqlite3.Error) -> tuple[type[HotbedError], str]:
    code = getattr(original, "sqlite_errorcode", None)
    if code is not None:
        primary = code & 0xFF
        kind = _SQLITE.get(primary, RegistryUnavailableError)
        return kind, _DAMAGED if kind is RegistryDamageError else _advice(primary)
    if isinstance(original, sqlite3.OperationalError):  # Python's own: text that is no UTF-8
        return RegistryDamageError, _ODD
    return UsageError, ""  # Python's own: a value that it cannot bind


def _advice(code: int) -> str:
    said = _CODES.get(code, "")
    if code == sqlite3.SQLITE_READONLY and hasattr(os, "getuid"):
        return f"{said} (uid {os.getuid()})"
    return said


def _without_password(said: str, url: str) -> str:
    try:
        password = make_url(url).password if "://" in url else None
    except (ArgumentError, ValueError):
        return said
    return said.replace(str(password), "***") if password else said
