"""``hotbed backends``: what is installed, what works, and why one is chosen."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Iterable
from typing import Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from hotbed.backends.catalog import BACKENDS, WRAPPERS
from hotbed.backends.decision import Request
from hotbed.cli.console import out, print_json
from hotbed.cli.explain import show_decision
from hotbed.cli.parameters import (
    BackendOption,
    DeviceOption,
    DtypeOption,
    JsonOption,
    LocalOption,
    RevisionOption,
)
from hotbed.cli.plugins import BROKEN, Row, describe, origin_of
from hotbed.errors import HotbedWarning
from hotbed.loading import House, default_house

__all__ = ["backends", "show_plugins"]


def backends(
    explain: Annotated[
        str | None,
        typer.Option(metavar="MODEL", help="Say which backend this model would get, and why."),
    ] = None,
    backend: BackendOption = None,
    device: DeviceOption = "auto",
    dtype: DtypeOption = None,
    revision: RevisionOption = None,
    local_files_only: LocalOption = False,
    as_json: JsonOption = False,
) -> None:
    """List the installed backends and wrappers; with --explain, the decision for a model."""
    house = default_house()
    if explain is not None:
        located = house.locate(explain, revision=revision, local_files_only=local_files_only)
        request = Request(backend=backend, device=device, dtype=dtype)
        decision = house.decide(request, house.read(located))
        if as_json:
            print_json(decision.as_dict())
        else:
            show_decision(decision)
        raise typer.Exit(0 if decision.chosen else 1)
    rows = _rows(house)
    if as_json:
        print_json(rows)
    else:
        show_plugins([*rows["backends"], *rows["wrappers"]])


def _rows(house: House) -> dict[str, list[Row]]:
    with warnings.catch_warnings():
        # What would be warned of stands in the list.
        warnings.simplefilter("ignore", HotbedWarning)
        return {
            "backends": [describe(f, BACKENDS, house.probe) for f in house.backends.found()],
            "wrappers": [describe(f, WRAPPERS, house.probe) for f in house.wrappers.found()],
        }


def show_plugins(rows: Iterable[Row]) -> None:
    """Print plugins, those that work first, and count them."""
    states: dict[str, Counter[str]] = {}
    for row in sorted(rows, key=lambda row: (row["kind"], row["state"] != "works")):
        states.setdefault(row["kind"], Counter())[row["state"]] += 1
        kind = "" if row["kind"] == "backend" else f" ({row['kind']})"
        style = "green" if row["state"] == "works" else "yellow" if row["state"] in BROKEN else ""
        out.print(Text.assemble((row["name"], "bold"), kind, "  ", (row["state"], style)))
        out.print(_details(row))
        out.print()
    if "backend" not in states:
        out.print("no backend is installed")
    for kind, found in states.items():
        parts = ", ".join(f"{count} {state}" for state, count in found.items())
        out.print(f"{found.total()} {kind}{'s' * (found.total() > 1)}: {parts}")


def _details(row: Row) -> Table:
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(min_width=9, no_wrap=True, style="dim")
    table.add_column(overflow="fold")
    lines = [
        ("about", row["summary"]),
        *((c["action"], _does(c)) for c in row["capabilities"]),
        ("wraps", ", ".join(row["wraps"])),
        ("found" if row["state"] == "works" else "reason", row["reason"]),
        ("fix", row["fix"]),
        *_elsewhere(row),
        ("from", f"{origin_of(row)}, {row['module']}"),
        ("", row["file"]),
    ]
    for label, text in lines:
        if text:
            table.add_row(f"  {label}", Text(text))
    return table


def _does(capability: dict[str, Any]) -> str:
    """One capability in words."""
    words = {name: ", ".join(values) for name, values in capability.items() if _is_list(values)}
    to = f" → {capability['to']}" if capability["to"] else ""
    parts = [f"{words['formats']}{to} on {words['devices']} in {words['dtypes']}"]
    if capability["task"] != "embedding":
        parts.insert(0, capability["task"])
    named = ("recipes", "profiles", "storages", "features", "families")
    parts += [f"{name} {words[name]}" for name in named if words[name]]
    return "; ".join(parts)


def _is_list(value: Any) -> bool:
    return isinstance(value, list)


def _elsewhere(row: Row) -> list[tuple[str, str]]:
    """What the other capabilities and devices answered, where it is a no of another kind."""
    answers = [
        (f"{capability['action']} on {device}", answer)
        for capability in row["capabilities"]
        for device, answer in capability["here"].items()
    ]
    return [
        ("but not", f"{what}: {answer['reason']}" + f"; fix: {answer['fix']}" * bool(answer["fix"]))
        for what, answer in answers[1:]
        if not answer["ok"] and answer != answers[0][1]
    ]
