"""``hotbed registry delete | gc | adopt | audit | doctor | check``: keeping house."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import attrs
import typer

from hotbed.cli.console import megabytes, out, print_json
from hotbed.cli.durations import seconds
from hotbed.cli.parameters import JsonOption, is_number
from hotbed.cli.registry_parameters import ReferenceArgument, RegistryOption, WhyOption, opened
from hotbed.errors import UsageError
from hotbed.registry import Registry

__all__ = ["add_to"]


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("delete")(delete)
    app.command("gc")(gc)
    app.command("adopt")(adopt)
    app.command("audit")(audit)
    app.command("doctor")(doctor)
    app.command("check")(check)


def delete(
    version: ReferenceArgument,
    even_if_reachable: Annotated[
        bool,
        typer.Option("--even-if-reachable", help="Even if a rollback could still go back to it."),
    ] = False,
    why: WhyOption = "",
    registry: RegistryOption = None,
    as_json: JsonOption = False,
) -> None:
    """Delete a version that no alias, lease, descendant or rollback can reach."""
    with opened(registry) as found:
        gone = found.delete(version, why=why, even_if_reachable=even_if_reachable)
    if as_json:
        print_json({"deleted": str(gone), "manifest": gone.manifest})
    else:
        out.print(f"{gone} is deleted; its number is not used again, and gc takes its files")


def gc(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only count.")] = False,
    older_than: Annotated[
        str, typer.Option(help="Time since a writer wanted the file: 30m, 12h, 7d.")
    ] = "1h",
    abandon: Annotated[
        list[str] | None,
        typer.Option(
            help="NUMBER:DIGEST of a newer database that is gone, as the refusal prints it: what "
            "it knew is given up. May be repeated.",
            show_default=False,
        ),
    ] = None,
    registry: RegistryOption = None,
    as_json: JsonOption = False,
) -> None:
    """Remove the files that no version reaches."""
    age = seconds("--older-than", older_than)
    with opened(registry) as found:
        done = found.gc(dry=dry_run, older_than=age, abandon=abandon or ())
    if as_json:
        print_json(attrs.asdict(done))
    else:
        verb = "would be removed" if done.dry else "removed"
        out.print(f"{done.blobs} files, {megabytes(done.nbytes)}, {verb}")


def adopt(
    previous: Annotated[
        str,
        typer.Option(
            help="The id of the registry whose files they were, as the refusal prints it.",
            show_default="none",
        ),
    ] = "",
    registry: RegistryOption = None,
    as_json: JsonOption = False,
) -> None:
    """Take over a place for files that carries no registry's id, or that of one that is gone."""
    with Registry.adopt(registry, previous=previous or None) as found:
        own, spare = found.store.ownership.registry, found.gc(dry=True, older_than=0)
        place = found.store.blobs.place
    if as_json:
        print_json({"registry": own, "blobs": place, "unreached": attrs.asdict(spare)})
        return
    out.print(
        f"the files in {place} belong to the registry {own} now; it needs none of {spare.blobs} "
        f"files, {megabytes(spare.nbytes)}, which gc would remove",
    )


def audit(
    head: Annotated[
        str, typer.Option(help="NUMBER:DIGEST that an audit printed before; has to be there still.")
    ] = "",
    registry: RegistryOption = None,
    as_json: JsonOption = False,
) -> None:
    """Check that no event was edited, removed or moved, and that all else follows from them."""
    known = None
    if head:
        number, _, digest = head.partition(":")
        if not is_number(number) or not digest:
            raise UsageError(f"--head {head!r:.80}: write NUMBER:DIGEST, as an audit prints it")
        known = (int(number), digest)
    with opened(registry) as found:
        result = found.audit(known)
    if as_json:
        print_json(attrs.asdict(result))
        return
    last, digest = result.head
    out.print(
        f"{result.events} events, all whole; keep the head elsewhere, for the next audit:\n"
        f"{last}:{digest}",
    )


def doctor(
    mend: Annotated[
        bool, typer.Option("--repair", help="Mend what is damaged from copies of it.")
    ] = False,
    copies: Annotated[
        list[Path] | None,
        typer.Option(
            "--from",
            help="A folder that may hold copies: the model, another registry. May be repeated.",
            show_default="versions checked out here",
        ),
    ] = None,
    part: Annotated[
        str, typer.Option(help="2/7 reads the second seventh of the files, for a run every night.")
    ] = "1/1",
    registry: RegistryOption = None,
    as_json: JsonOption = False,
) -> None:
    """Read every file that a version needs, and say what is damaged; exit 1 if anything is."""
    which, _, parts = part.partition("/")
    if not (is_number(which) and is_number(parts)):
        raise UsageError(f"--part {part!r:.80}: write 2/7 for the second seventh")
    with opened(registry) as found:
        result = found.doctor(copies or (), mend=mend, part=(int(which), int(parts)))
    if as_json:
        print_json(attrs.asdict(result))
    else:
        for fault in result.repaired:
            out.print(f"repaired  {fault}")
        for fault in result.faults:
            out.print(f"damaged   {fault}")
        out.print(
            f"{result.versions} versions, {result.blobs} files read, {megabytes(result.nbytes)}; "
            f"{len(result.faults)} damaged; {result.orphans} files that no version needs, "
            f"{megabytes(result.orphan_bytes)}, and {result.stages} that writers left unfinished, "
            f"which gc takes",
        )
    if result.faults:
        raise typer.Exit(1)


def check(
    version: ReferenceArgument,
    max_seconds: Annotated[
        float, typer.Option(min=0, help="Seconds that one text may take, in the median.")
    ] = 10.0,
    min_cosine: Annotated[
        float | None,
        typer.Option(
            help="Lowest cosine to its reference vectors.", show_default="what its storage promises"
        ),
    ] = None,
    registry: RegistryOption = None,
    as_json: JsonOption = False,
) -> None:
    """Check a version as a deployment does before it serves; exit 1 if it is not fit."""
    from hotbed.deployment import Health
    from hotbed.loading import load

    health = Health(max_seconds=max_seconds, min_cosine=min_cosine)
    with opened(registry) as found:
        one = found.resolve(version)
        with load(f"registry:{one}", registry=found, paranoid=True) as model:
            result = health.check(model, one.dimension)
            backend = model.loaded.backend
    if as_json:
        print_json({"version": str(one), "backend": backend, **attrs.asdict(result)})
        return
    cosine = "no reference vectors are stored with it"
    if result.cosine is not None:
        cosine = f"lowest cosine to its reference vectors {result.cosine:.6f}"
    out.print(
        f"{one} is fit to serve with {backend}: {result.texts} texts, {result.dimension} numbers "
        f"each, {1000 * result.seconds:.1f} ms a text; {cosine}",
    )
