"""``hotbed cache``: the converted graphs and unpacked sources under ``HOTBED_HOME``."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Annotated

import typer

from hotbed.cli.console import megabytes, out, plain_table, print_json
from hotbed.cli.parameters import JsonOption
from hotbed.errors import UsageError
from hotbed.loading import default_house

__all__ = ["app"]

app = typer.Typer(help="List and remove converted graphs.", no_args_is_help=True)

_DAY = 86_400.0


@app.command("list")
def list_(as_json: JsonOption = False) -> None:
    """List converted graphs, the one used last first, and unpacked sources."""
    house = default_house()
    entries = house.cache.entries()
    sources = sorted((house.settings.home / "sources").glob("*/*"))
    if as_json:
        print_json(
            {
                "home": str(house.settings.home),
                "graphs": [
                    {
                        "model": entry.model,
                        "profile": entry.profile,
                        "bytes": entry.nbytes,
                        "used": _when(entry.used),
                        "path": str(entry.path),
                    }
                    for entry in entries
                ],
                "sources": [{"path": str(path), "bytes": _size(path)} for path in sources],
            }
        )
        return
    table = plain_table("model", "profile", "size", "last used", "path")
    for entry in entries:
        table.add_row(
            entry.model, entry.profile, megabytes(entry.nbytes), _when(entry.used), str(entry.path)
        )
    for path in sources:
        table.add_row(path.name, "(source)", megabytes(_size(path)), "", str(path))
    out.print(table)
    total = sum(entry.nbytes for entry in entries) + sum(map(_size, sources))
    out.print(f"\n{megabytes(total)} in {house.settings.home}", markup=False)


@app.command("prune")
def prune(
    older_than: Annotated[
        float | None, typer.Option(min=0, help="Remove graphs not used for so many days.")
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="Remove every graph.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Remove converted graphs; the next load makes them again. Sources are kept."""
    if (older_than is None) != everything:
        raise UsageError("say which graphs: --older-than DAYS, or --all")
    removed, stages = default_house().cache.prune(None if older_than is None else older_than * _DAY)
    freed = sum(entry.nbytes for entry in removed)
    if as_json:
        paths = [str(entry.path) for entry in removed]
        print_json({"removed": paths, "bytes": freed, "unfinished": stages})
        return
    out.print(f"removed {len(removed)} graphs, {megabytes(freed)}; {stages} unfinished folders")


def _when(seconds: float) -> str:
    return datetime.datetime.fromtimestamp(seconds).astimezone().isoformat(timespec="seconds")


def _size(path: Path) -> int:
    return sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
