"""``hotbed trust``: let a project's ``hotbed.toml`` set everything, as it is now."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hotbed import trust as trust_list
from hotbed.cli.console import out, print_json
from hotbed.cli.parameters import JsonOption
from hotbed.errors import SettingsError, UsageError
from hotbed.settings import PROJECT_FILE, trust_file
from hotbed.settings_file import find_project_file, read_settings_file

__all__ = ["trust"]


def trust(
    path: Annotated[
        Path | None,
        typer.Argument(help="A hotbed.toml, or its folder.", show_default="the nearest"),
    ] = None,
    show: Annotated[bool, typer.Option("--list", help="List what is trusted.")] = False,
    revoke: Annotated[bool, typer.Option("--revoke", help="Trust it no longer.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Trust a project file as it is now: it may then set places, hosts and what may run."""
    record = trust_file()
    if record is None:
        raise SettingsError("this user has no configuration folder; set HOME or XDG_CONFIG_HOME")
    if show:
        _list(record, as_json)
        return
    file = _file(path)
    if revoke:
        if not trust_list.revoke(record, file):
            raise UsageError(f"{file} was not trusted")
        out.print(f"{file} is trusted no longer")
        return
    settings = read_settings_file(file)
    trust_list.trust(record, file, settings.content)
    keys = ", ".join(settings.values) or "nothing"
    out.print(f"trusted {file}, which sets {keys}; a change to it ends that")


def _file(path: Path | None) -> Path:
    found = find_project_file(PROJECT_FILE) if path is None else path.absolute()
    if found is None:
        raise UsageError(f"there is no {PROJECT_FILE} here or above; name one")
    return found / PROJECT_FILE if found.is_dir() else found


def _list(record: Path, as_json: bool) -> None:
    entries = trust_list.trusted(record)
    if as_json:
        print_json({"record": str(record), "files": entries})
        return
    for path, digest in sorted(entries.items()):
        out.print(f"{digest[:12]}  {path}")
