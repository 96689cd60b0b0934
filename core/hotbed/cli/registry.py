"""``hotbed registry``: versions of models, and what is said of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import attrs
import typer

from hotbed.cli import registry_aliases, registry_house, registry_travel
from hotbed.cli.console import megabytes, out, plain_table, print_json
from hotbed.cli.parameters import JsonOption
from hotbed.cli.registry_parameters import (
    ReferenceArgument,
    RegistryOption,
    WhyOption,
    facts,
    numbers,
    opened,
    pairs,
)
from hotbed.registry import Registered

__all__ = ["app"]

app = typer.Typer(
    help="Keep versions that never change, and names for them that roll back.",
    no_args_is_help=True,
)

TagOption = Annotated[
    list[str] | None, typer.Option("--tag", help="name=value; may be repeated.", show_default=False)
]
MetricOption = Annotated[
    list[str] | None,
    typer.Option("--metric", help="name=number; may be repeated.", show_default=False),
]


@app.command("init")
def init(registry: RegistryOption = None, as_json: JsonOption = False) -> None:
    """Make a registry, or bring its tables up to date."""
    with opened(registry, create=True) as found:
        if as_json:
            print_json({"registry": found.store.place})
            return
        out.print(f"the registry is {found.store.place}")


@app.command("register")
def register(
    name: Annotated[str, typer.Argument(help="The model's name.")],
    folder: Annotated[Path, typer.Argument(help="A model folder.")],
    version: Annotated[
        str, typer.Option(help="1.2.3 or 2.0.0-rc.1.", show_default="the next by --bump")
    ] = "",
    bump: Annotated[str, typer.Option(help="major, minor, patch or prerelease.")] = "patch",
    parent: Annotated[str, typer.Option(help="What it was made from: support@1.2.0.")] = "",
    base_model: Annotated[str, typer.Option(help="What training began with.")] = "",
    training_data: Annotated[str, typer.Option(help="What it was trained on.")] = "",
    description: Annotated[str | None, typer.Option(help="What people should know.")] = None,
    domain: Annotated[str | None, typer.Option(help="What it is for.")] = None,
    licence: Annotated[str | None, typer.Option(help="A note on its licence.")] = None,
    tag: TagOption = None,
    metric: MetricOption = None,
    reference: Annotated[
        bool,
        typer.Option(
            "--reference-vectors",
            help="Run it on known texts, and keep the vectors for later checks.",
        ),
    ] = False,
    why: WhyOption = "",
    registry: RegistryOption = None,
    as_json: JsonOption = False,
) -> None:
    """Register a model folder as a version, which never changes from then on."""
    tags, metrics = pairs(tag), numbers(metric)
    with opened(registry, create=True) as found:
        made = found.register(
            name,
            folder,
            version=version,
            bump=bump,
            parent=parent,
            base_model=base_model,
            training_data=training_data,
            description=description,
            domain=domain,
            licence=licence,
            tags=tags,
            metrics=metrics,
            reference=reference,
            why=why,
        )
        place = found.store.place
    if as_json:
        print_json(facts(made))
        return
    out.print(
        f"{made}  {megabytes(made.size)}, manifest {made.manifest[:12]}, in {place}\n"
        f"load it with hotbed.load('registry:{made}')",
    )


@app.command("list")
def list_(
    name: Annotated[str, typer.Argument(help="Only this model.")] = "",
    limit: Annotated[int, typer.Option(min=1, help="Rows.")] = 100,
    offset: Annotated[int, typer.Option(min=0, help="Rows passed over before.")] = 0,
    registry: RegistryOption = None,
    as_json: JsonOption = False,
) -> None:
    """List versions by name, the lowest first."""
    with opened(registry) as found:
        _table(found.search(name=name, limit=limit, offset=offset), as_json)


@app.command("search")
def search(
    text: Annotated[str, typer.Argument(help="Words in name, description or domain.")] = "",
    tag: TagOption = None,
    least: Annotated[
        list[str] | None, typer.Option("--min", help="metric=number, at least.", show_default=False)
    ] = None,
    most: Annotated[
        list[str] | None, typer.Option("--max", help="metric=number, at most.", show_default=False)
    ] = None,
    domain: Annotated[str, typer.Option(help="What it is for.")] = "",
    runs_as: Annotated[str, typer.Option("--format", help="onnx, safetensors, …")] = "",
    base_model: Annotated[str, typer.Option(help="What training began with.")] = "",
    current: Annotated[bool, typer.Option("--current", help="Leave deprecated ones out.")] = False,
    sort: Annotated[str, typer.Option(help="name, version, created, size, metric:NAME.")] = "name",
    descending: Annotated[bool, typer.Option("--descending", help="The greatest first.")] = False,
    limit: Annotated[int, typer.Option(min=1, help="Rows.")] = 100,
    offset: Annotated[int, typer.Option(min=0, help="Rows passed over before.")] = 0,
    registry: RegistryOption = None,
    as_json: JsonOption = False,
) -> None:
    """Find versions by words, tags, metrics, format and base model."""
    tags = {key: value or None for key, value in pairs(tag, bare=True).items()}
    bounds = {"least": numbers(least), "most": numbers(most)}
    with opened(registry) as found:
        rows = found.search(
            text=text,
            tags=tags,
            **bounds,
            domain=domain,
            format=runs_as,
            base_model=base_model,
            deprecated=not current,
            sort=sort,
            descending=descending,
            limit=limit,
            offset=offset,
        )
        _table(rows, as_json)


@app.command("show")
def show(
    version: ReferenceArgument, registry: RegistryOption = None, as_json: JsonOption = False
) -> None:
    """Show a version: what it is, what is said of it, and its files."""
    with opened(registry) as found:
        one, manifest = found.get(version), found.manifest(version)
        signed = [{"who": each.who, "at": each.at} for each in found.signatures(version)]
    whole = {
        **facts(one),
        "max_length": manifest.max_length,
        "parent": manifest.parent,
        "training_data": manifest.training_data,
        "training_digest": manifest.training_digest,
        "signed": signed,
        "files": [entry.said() for entry in manifest.files],
        "variants": list(manifest.variants),
        "made": list(manifest.made),
    }
    if as_json:
        print_json(whole)
        return
    table = plain_table("", "")
    for key, value in whole.items():
        if key not in ("files", "variants", "made") and value not in (None, "", (), [], {}):
            table.add_row(key, _in_words(value))
    out.print(table)
    files = plain_table("file", "size", "sha256")
    for entry in manifest.files:
        files.add_row(entry.path, megabytes(entry.size), entry.sha256[:12])
    out.print(files)


@app.command("compare")
def compare(
    left: ReferenceArgument,
    right: ReferenceArgument,
    registry: RegistryOption = None,
    as_json: JsonOption = False,
) -> None:
    """Compare two versions side by side."""
    with opened(registry) as found:
        result = found.compare(left, right)
    if as_json:
        print_json(attrs.asdict(result))
        return
    table = plain_table("", str(result.left), str(result.right))
    for key, (mine, other) in result.facts.items():
        if mine or other:
            mark = "" if mine == other else "≠ "
            table.add_row(mark + key, _in_words(mine), _in_words(other))
    for path, mine, other in result.changed:
        table.add_row(f"≠ {path}", megabytes(mine), megabytes(other))
    for path in result.removed:
        table.add_row(f"≠ {path}", "there", "")
    for path in result.added:
        table.add_row(f"≠ {path}", "", "there")
    out.print(table)
    out.print(f"{len(result.same)} files are the same")


@app.command("annotate")
def annotate(
    version: ReferenceArgument,
    description: Annotated[str | None, typer.Option(help="What people should know.")] = None,
    domain: Annotated[str | None, typer.Option(help="What it is for.")] = None,
    licence: Annotated[str | None, typer.Option(help="A note on its licence.")] = None,
    tag: TagOption = None,
    metric: MetricOption = None,
    untag: Annotated[
        list[str] | None, typer.Option(help="Remove this tag.", show_default=False)
    ] = None,
    why: WhyOption = "",
    registry: RegistryOption = None,
    as_json: JsonOption = False,
) -> None:
    """Change what is said of a version; the version itself stays as it is."""
    tags, metrics = {**pairs(tag), **dict.fromkeys(untag or ())}, numbers(metric)
    with opened(registry) as found:
        made = found.annotate(
            version,
            description=description,
            domain=domain,
            licence=licence,
            tags=tags,
            metrics=metrics,
            why=why,
        )
    _one(made, as_json, "is annotated")


@app.command("deprecate")
def deprecate(
    version: ReferenceArgument,
    message: Annotated[str, typer.Argument(help="Why, and what to use instead.")] = "",
    undo: Annotated[bool, typer.Option("--undo", help="Take it back.")] = False,
    why: WhyOption = "",
    registry: RegistryOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say why nobody should use a version any more; loading it shows that."""
    with opened(registry) as found:
        made = found.deprecate(version, None if undo else message, why=why)
    _one(made, as_json, "is deprecated no more" if undo else "is deprecated")


def _one(made: Registered, as_json: bool, said: str) -> None:
    if as_json:
        print_json(facts(made))
    else:
        out.print(f"{made} {said}")


def _table(rows: Sequence[Registered], as_json: bool) -> None:
    if as_json:
        print_json([facts(one) for one in rows])
        return
    table = plain_table("model", "version", "aliases", "formats", "size", "created", "metrics", "")
    for one in rows:
        table.add_row(
            one.name,
            one.version,
            ", ".join(one.aliases),
            ", ".join(one.formats),
            megabytes(one.size),
            one.created_at[:10],
            ", ".join(f"{key} {value:g}" for key, value in one.metrics.items()),
            "" if one.deprecated is None else f"deprecated: {one.deprecated}",
        )
    out.print(table)


def _in_words(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key}={one}" for key, one in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(_in_words(one) if isinstance(one, dict) else str(one) for one in value)
    return "" if value is None else str(value)


# Last, so that help begins with what people do first.
registry_aliases.add_to(app)
registry_house.add_to(app)
registry_travel.add_to(app)
