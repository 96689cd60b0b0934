"""``hotbed registry promote | rollback | unset | history``: names that point to versions."""

from __future__ import annotations

from typing import Annotated

import attrs
import typer

from hotbed.cli.console import out, plain_table, print_json
from hotbed.cli.parameters import JsonOption
from hotbed.cli.registry_parameters import (
    NameArgument,
    ReferenceArgument,
    RegistryOption,
    WhyOption,
    facts,
    opened,
)

__all__ = ["add_to"]

AliasArgument = Annotated[str, typer.Argument(help="production, canary, or your own.")]


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("promote")(promote)
    app.command("rollback")(rollback)
    app.command("unset")(unset)
    app.command("history")(history)


def promote(
    version: ReferenceArgument,
    alias: AliasArgument,
    allow_incompatible: Annotated[
        bool,
        typer.Option(
            "--allow-incompatible", help="Even if vectors do not mix with those of the old version."
        ),
    ] = False,
    why: WhyOption = "",
    registry: RegistryOption = None,
    as_json: JsonOption = False,
) -> None:
    """Point an alias to a version."""
    with opened(registry) as found:
        made = found.promote(version, alias, why=why, allow_incompatible=allow_incompatible)
    if as_json:
        print_json(facts(made))
    else:
        out.print(f"{made.name}@{alias} → {made.version}")


def rollback(
    name: NameArgument,
    alias: AliasArgument,
    why: WhyOption = "",
    registry: RegistryOption = None,
    as_json: JsonOption = False,
) -> None:
    """Point an alias to what was promoted before; twice goes two promotions back."""
    with opened(registry) as found:
        made = found.rollback(name, alias, why=why)
    if as_json:
        print_json(facts(made))
    else:
        out.print(f"{made.name}@{alias} → {made.version}")


def unset(
    name: NameArgument, alias: AliasArgument, why: WhyOption = "", registry: RegistryOption = None
) -> None:
    """Remove an alias; its history stays."""
    with opened(registry) as found:
        found.unset(name, alias, why=why)
    out.print(f"{name}@{alias} points nowhere")


def history(
    name: NameArgument,
    alias: Annotated[str, typer.Argument(help="Only this alias.")] = "",
    at: Annotated[str, typer.Option(help="Where it pointed at a time: 2026-11-30T14:05.")] = "",
    registry: RegistryOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show every move of an alias: from where, to where, when, by whom, and why."""
    with opened(registry) as found:
        if at:
            there = found.alias_at(name, alias, at)
            if as_json:
                print_json({"alias": alias, "at": at, "version": there})
            else:
                out.print(f"{name}@{alias} → {there or 'nowhere'}")
            return
        moves = found.history(name, alias or None)
    if as_json:
        print_json([attrs.asdict(move) for move in moves])
        return
    table = plain_table("", "when", "alias", "", "from", "to", "who", "why")
    for move in moves:
        table.add_row(
            str(move.seq),
            move.at[:19],
            move.alias,
            move.kind,
            move.before,
            move.version,
            move.who,
            move.why,
        )
    out.print(table)
