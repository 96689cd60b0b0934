"""``hotbed doctor``: what is installed, what works, and what mends the rest."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import Any

import typer
from packaging.requirements import Requirement

from hotbed.backends.cpu import cpu_quota
from hotbed.cli.backends import describe
from hotbed.cli.console import out, plain_table, print_json
from hotbed.cli.parameters import JsonOption
from hotbed.loading import default_house
from hotbed.version import __version__

__all__ = ["doctor"]


def doctor(as_json: JsonOption = False) -> None:
    """Check this installation; exit 1 if something needs mending."""
    house = default_house()
    rows = [describe(house, found) for found in house.backends.found()]
    home = house.settings.home
    facts: dict[str, Any] = {
        "hotbed": __version__,
        "python": f"{platform.python_version()} ({platform.python_implementation()})",
        "platform": f"{platform.system()} {platform.machine()}",
        "cpus": {"may be used": cpu_quota(), "on the host": os.cpu_count()},
        "home": str(home),
        "home_writable": _writable(home.absolute()),
        "packages": _packages(),
        "backends": rows,
        "sources": [
            {"source": found.name, "state": found.error or found.conflict or "works"}
            for found in house.sources.found()
        ],
        "wrappers": [found.name for found in house.wrappers.found()],
    }
    problems = _problems(facts)
    facts["problems"] = problems
    if as_json:
        print_json(facts)
    else:
        _show(facts)
    raise typer.Exit(1 if problems else 0)


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


def _problems(facts: dict[str, Any]) -> list[str]:
    problems = [
        f"{row['backend']} ({row['distribution']}): {row['reason']}"
        + (f"; fix: {row['fix']}" if row["fix"] else "")
        for row in facts["backends"]
        if row["state"] in ("broken", "name conflict", "cannot run") or row["fix"]
    ]
    problems += [
        f"source {row['source']}: {row['state']}"
        for row in facts["sources"]
        if row["state"] != "works"
    ]
    if not any(row["state"] == "works" for row in facts["backends"]):
        problems.append('no backend works; fix: pip install "hotbed[cpu]"')
    if not facts["home_writable"]:
        problems.append(f"{facts['home']} cannot be written; set HOTBED_HOME to a folder that can")
    return problems


def _show(facts: dict[str, Any]) -> None:
    table = plain_table("", "")
    table.show_header = False
    for name in ("hotbed", "python", "platform", "home"):
        table.add_row(name, str(facts[name]))
    quota, host = facts["cpus"].values()
    table.add_row("cpus", f"{quota} may be used, {host} on the host")
    packages = ", ".join(f"{name} {number}" for name, number in facts["packages"].items())
    table.add_row("packages", packages)
    table.add_row("sources", ", ".join(row["source"] for row in facts["sources"]))
    table.add_row("wrappers", ", ".join(facts["wrappers"]) or "none")
    for row in facts["backends"]:
        line = f"{row['state']}; {row['reason']}" if row["reason"] else row["state"]
        table.add_row(f"backend {row['backend']}", line)
    out.print(table)
    if not facts["problems"]:
        out.print("\nnothing needs mending", style="green")
    for problem in facts["problems"]:
        out.print(f"\nto mend: {problem}", markup=False, style="yellow")
