"""Bring a database to the tables of this hotbed; many processes may try at once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sqlalchemy import Connection

from hotbed.errors import RegistryError
from hotbed.registry.database import Database, shown

__all__ = ["migrate"]

_HERE = Path(__file__).parent / "migrations"


def migrate(database: Database) -> None:
    """Run the steps that are missing, in one writing transaction: whoever comes second finds none.

    Raises:
        RegistryError: A later hotbed wrote the database.
    """
    from alembic import command

    config = _config()
    wanted = _wanted(config)
    with database.reading() as connection:
        if _current(connection) == wanted:
            return
    with database.writing() as connection:
        current = _current(connection)
        if current == wanted:
            return
        _require_known(config, current, database)
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def _config() -> Any:
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_HERE).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config


def _wanted(config: Any) -> str | None:
    from alembic.script import ScriptDirectory

    return ScriptDirectory.from_config(config).get_current_head()


def _current(connection: Connection) -> str | None:
    from alembic.runtime.migration import MigrationContext

    return MigrationContext.configure(connection).get_current_revision()


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
