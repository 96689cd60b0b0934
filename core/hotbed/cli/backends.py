"""``hotbed backends``: what is installed, what works, and why one is chosen."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from hotbed.backends.catalog import Found
from hotbed.backends.decision import Request
from hotbed.backends.values import Probe, ProbeRequest
from hotbed.cli.console import out, plain_table, print_json
from hotbed.cli.parameters import (
    BackendOption,
    DeviceOption,
    DtypeOption,
    JsonOption,
    LocalOption,
    RevisionOption,
)
from hotbed.loading import House, default_house

__all__ = ["backends", "describe"]


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
    """List the installed backends; with --explain, the decision for a model."""
    house = default_house()
    if explain is not None:
        located = house.locate(explain, revision=revision, local_files_only=local_files_only)
        request = Request(backend=backend, device=device, dtype=dtype)
        decision = house.decide(request, house.read(located))
        if as_json:
            print_json(decision.as_dict())
        else:
            out.print(decision.explain(), markup=False)
        raise typer.Exit(0 if decision.chosen else 1)
    rows = [describe(house, found) for found in house.backends.found()]
    if as_json:
        print_json(rows)
        return
    if not rows:
        out.print("no backend is installed")
    table = plain_table("backend", "distribution", "state", "does", "reason")
    for row in rows:
        reason = " ".join(filter(None, (row["reason"], row["fix"] and f"fix: {row['fix']}")))
        style = "" if row["state"] == "works" else "yellow"
        origin = " ".join(filter(None, (row["distribution"], row["version"])))
        table.add_row(
            row["backend"], origin, row["state"], "\n".join(row["does"]), reason, style=style
        )
    out.print(table)


def describe(house: House, found: Found) -> dict[str, Any]:
    """One backend as plain values: where it is from, its state, the reason and the fix."""
    state, probe = _state(house, found)
    manifest = found.manifest
    return {
        "backend": found.name,
        "distribution": found.dist,
        "version": found.version,
        "module": found.value,
        "summary": manifest.summary if manifest else "",
        "state": state,
        "reason": probe.reason,
        "fix": probe.fix,
        "does": [
            f"{c.action}: {', '.join(c.formats)}"
            + (f" → {c.to} ({', '.join(c.families)})" if c.to else "")
            + f" on {', '.join(c.devices)}, {', '.join(c.dtypes)}"
            for c in (manifest.capabilities if manifest else ())
        ],
    }


def _state(house: House, found: Found) -> tuple[str, Probe]:
    if found.conflict:
        return "name conflict", Probe(ok=False, reason=found.conflict)
    if found.blocked:
        return "blocked", Probe(ok=False, reason=found.blocked)
    if found.error or found.manifest is None:
        return "broken", Probe(ok=False, reason=found.error or "holds no HOTBED = Manifest(...)")
    capabilities = found.manifest.capabilities
    device = capabilities[0].devices[0] if capabilities else "cpu"
    action = capabilities[0].action if capabilities else "embed"
    probe = house.probe(found, ProbeRequest(action=action, device=device))
    return ("works" if probe.ok else "cannot run"), probe
