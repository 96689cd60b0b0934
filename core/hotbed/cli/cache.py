"""``hotbed cache``: converted graphs, unpacked sources and checked-out versions on this machine."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Annotated

import typer

from hotbed.cli.console import megabytes, out, plain_table, print_json
from hotbed.cli.durations import seconds
from hotbed.cli.parameters import JsonOption
from hotbed.errors import UsageError
from hotbed.loading import default_house
from hotbed.sources.unpacked import prune_sources, unpacked_sources

__all__ = ["app"]

app = typer.Typer(
    help="List and remove converted graphs and checked-out versions.", no_args_is_help=True
)


@app.command("list")
def list_(as_json: JsonOption = False) -> None:
    """List converted graphs, the one used last first, unpacked sources and registered versions."""
    house = default_house()
    versions = sorted((house.settings.home / "registered").glob("??/*"))
    entries = house.cache.entries()
    sources = unpacked_sources(house.settings)
    if as_json:
        print_json(
            {
                "home": str(house.settings.home),
                "cache": str(house.settings.cache),
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
                "versions": [
                    {"path": str(path), "bytes": _size(path), "used": _when(path.stat().st_mtime)}
                    for path in versions
                ],
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
    for path in versions:
        used = _when(path.stat().st_mtime)
        table.add_row(path.name[:12], "(version)", megabytes(_size(path)), used, str(path))
    out.print(table)
    total = sum(entry.nbytes for entry in entries) + sum(map(_size, [*sources, *versions]))
    places = dict.fromkeys([str(house.settings.home), str(house.settings.cache)])
    out.print(f"\n{megabytes(total)} in {' and '.join(places)}")


@app.command("prune")
def prune(
    older_than: Annotated[
        str | None,
        typer.Option(help="Remove what was not used for so long: 30d, 12h.", show_default=False),
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="Remove all of them.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Remove converted graphs, unpacked sources and checked-out versions.

    The next load makes them again, or fetches them. A source has no time of last use: it goes by
    the time when it was unpacked.
    """
    from hotbed.registry.checkout import prune_checkouts

    if (older_than is None) != everything:
        raise UsageError("say which: --older-than 30d, or --all")
    house, age = (
        default_house(),
        None if older_than is None else seconds("--older-than", older_than),
    )
    removed, stages = house.cache.prune(age)
    freed = sum(entry.nbytes for entry in removed)
    versions = prune_checkouts(house.settings.home / "registered", age)
    sources = prune_sources(house.settings, age)
    if as_json:
        paths = [str(entry.path) for entry in removed]
        print_json(
            {
                "removed": paths,
                "bytes": freed,
                "unfinished": stages,
                "versions": [str(path) for path in versions],
                "sources": [str(path) for path in sources],
            }
        )
        return
    out.print(
        f"removed {len(removed)} graphs, {megabytes(freed)}, {len(sources)} sources and "
        f"{len(versions)} versions; {stages} unfinished folders"
    )


def _when(seconds: float) -> str:
    return datetime.datetime.fromtimestamp(seconds).astimezone().isoformat(timespec="seconds")


def _size(path: Path) -> int:
    return sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
