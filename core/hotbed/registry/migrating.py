"""Bring a database to the tables of this hotbed; many processes may try at once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, inspect, text

from hotbed.errors import RegistryError
from hotbed.registry.database import Database, shown

__all__ = ["HEAD", "migrate"]

HEAD = "0002"
"""The last of the steps in ``migrations/``."""

_HERE = Path(__file__).parent / "migrations"


def migrate(database: Database, before_making: Callable[[], None] = lambda: None) -> bool:
    """Run the steps that are missing, in one writing transaction: whoever comes second finds none.

    Args:
        database: The database.
        before_making: Called before the first table of an empty database is made; may refuse.

    Returns:
        Whether the database was empty.

    Raises:
        RegistryError: A later hotbed wrote the database.
    """
    with database.reading(prepared=False) as connection:
        if _current(connection) == HEAD:
            return False  # Alembic is not even imported: that takes longer than all the rest
    from alembic import command

    config = _config()
    with database.writing(prepared=False) as connection:
        current = _current(connection)
        if current == HEAD:
            return False
        if current is None:
            before_making()
        _require_known(config, current, database)
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
    return current is None


def _config() -> Any:
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_HERE).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config


def _current(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()


def _require_known(config: Any, current: str | None, database: Database) -> None:
    from alembic.script import ScriptDirectory
    from alembic.util import CommandError

    if current is None:
        return
    try:
        ScriptDirectory.from_config(config).get_revision(current)
    except CommandError as error:
        raise RegistryError(
            f"the registry {shown(database.url)} is at step {current}, which this "
            f"hotbed does not know: a later one wrote it; upgrade hotbed"
        ) from error
