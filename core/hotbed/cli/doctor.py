"""``hotbed doctor``: what is installed, what works, and what mends the rest."""

from __future__ import annotations

import os
import platform
import warnings
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import Annotated, Any

import typer
from packaging.requirements import Requirement
from rich.text import Text

from hotbed.backends.catalog import BACKENDS, SOURCES, WRAPPERS
from hotbed.backends.cpu import cpu_quota
from hotbed.cli.console import out, plain_table, print_json
from hotbed.cli.isolated import PATIENCE, examine_all
from hotbed.cli.parameters import JsonOption
from hotbed.cli.plugins import BROKEN, Row, describe
from hotbed.errors import HotbedWarning
from hotbed.loading import House, default_house
from hotbed.version import __version__

__all__ = ["doctor"]

Problem = tuple[str, str, str]

_SECTIONS = {BACKENDS: "backends", WRAPPERS: "wrappers", SOURCES: "sources"}


def doctor(
    isolated: Annotated[
        bool,
        typer.Option(
            "--isolated",
            help="Examine each plugin in a process of its own, and import none here: finds what "
            "crashes or hangs.",
        ),
    ] = False,
    timeout: Annotated[
        float, typer.Option(min=0.1, help="Seconds for each plugin, with --isolated.")
    ] = PATIENCE,
    as_json: JsonOption = False,
) -> None:
    """Check this installation; exit 1 if something needs mending."""
    house = default_house()
    home = house.settings.home
    facts: dict[str, Any] = {
        "hotbed": __version__,
        "python": f"{platform.python_version()} ({platform.python_implementation()})",
        "platform": f"{platform.system()} {platform.machine()}",
        "cpus": {"may be used": cpu_quota(), "on the host": os.cpu_count()},
        "home": str(home),
        "home_writable": _writable(home.absolute()),
        "packages": _packages(),
        "isolated": isolated,
        **(_examined_apart(house, timeout) if isolated else _examined_here(house)),
    }
    mending = _mending(facts, house.settings.blocked)
    facts["problems"] = [
        f"{who}: {'; fix: '.join(filter(None, (what, fix)))}" for who, what, fix in mending
    ]
    if as_json:
        print_json(facts)
    else:
        _show(facts, mending)
    raise typer.Exit(1 if mending else 0)


def _examined_here(house: House) -> dict[str, list[Row]]:
    catalogs = (house.backends, house.wrappers, house.sources)
    with warnings.catch_warnings():
        # What would be warned of stands in the list.
        warnings.simplefilter("ignore", HotbedWarning)
        return {
            _SECTIONS[catalog.group]: [
                describe(found, catalog.group, house.probe) for found in catalog.found()
            ]
            for catalog in catalogs
        }


def _examined_apart(house: House, timeout: float) -> dict[str, list[Row]]:
    catalogs = (house.backends, house.wrappers, house.sources)
    plugins = [(catalog.group, found) for catalog in catalogs for found in catalog.listed()]
    sections: dict[str, list[Row]] = {_SECTIONS[catalog.group]: [] for catalog in catalogs}
    for group, row in examine_all(plugins, timeout):
        sections[_SECTIONS[group]].append(row)
    return sections


def _packages() -> dict[str, str]:
    """hotbed's dependencies and those of its extras, as installed."""
    found = {}
    for line in requires("hotbed") or []:
        name = Requirement(line).name
        if name == "hotbed":  # an extra that holds another
            continue
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    return found


def _writable(path: Path) -> bool:
    existing = next(place for place in (path, *path.parents) if place.exists())
    return os.access(existing, os.W_OK)


def _mending(facts: dict[str, Any], blocked: Sequence[str]) -> list[Problem]:
    """What is wrong: with whom, what, and what mends it."""
    rows = [row for section in _SECTIONS.values() for row in facts[section]]
    problems = [
        (_who(row), f"{row['state']}: {row['reason']}", row["fix"])
        for row in rows
        if row["state"] in BROKEN or (row["fix"] and row["state"] != "not installed")
    ]
    dangerous = {row["name"] for row in rows if row["state"] in ("crashes", "hangs")}
    if len(dangerous) > 1:
        names = ",".join(sorted({*blocked, *dangerous}))
        problems.append((", ".join(sorted(dangerous)), f"without them: HOTBED_BLOCKED={names}", ""))
    if not any(row["state"] == "works" for row in facts["backends"]):
        problems.append(("hotbed", 'no backend works; fix: pip install "hotbed[cpu]"', ""))
    if not facts["home_writable"]:
        what = f"{facts['home']} cannot be written; set HOTBED_HOME to a folder that can"
        problems.append(("hotbed", what, ""))
    return problems


def _who(row: Row) -> str:
    kind = "" if row["kind"] == "backend" else f"{row['kind']} "
    return f"{kind}{row['name']} ({row['distribution']})"


def _show(facts: dict[str, Any], mending: list[Problem]) -> None:
    table = plain_table("", "")
    table.show_header = False
    for name in ("hotbed", "python", "platform", "home"):
        table.add_row(name, str(facts[name]))
    quota, host = facts["cpus"].values()
    table.add_row("cpus", f"{quota} may be used, {host} on the host")
    packages = ", ".join(f"{name} {number}" for name, number in facts["packages"].items())
    table.add_row("packages", packages)
    for section in _SECTIONS.values():
        for row in facts[section]:
            table.add_row(f"{row['kind']} {row['name']}", Text(_state(row)))
    out.print(table)
    if not mending:
        out.print("\nnothing needs mending", style="green")
        return
    out.print("\nto mend", style="bold")
    table = plain_table("", "")
    table.show_header = False
    for who, what, fix in mending:
        # The whole reason stands above, beside the plugin's name.
        table.add_row(Text(who), Text(fix or what, style="yellow"))
    out.print(table)


def _state(row: Row) -> str:
    spent = f" ({row['seconds']:.1f} s)" if "seconds" in row else ""
    if not spent and row["reason"].startswith(f"{row['state']}:"):
        return str(row["reason"])
    return "; ".join(filter(None, (f"{row['state']}{spent}", row["reason"])))
