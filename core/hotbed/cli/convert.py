"""``hotbed convert``: a model folder that runs without PyTorch."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from hotbed.backends.decision import Request
from hotbed.backends.values import ConvertTarget
from hotbed.cli.console import errors, megabytes, out, print_json
from hotbed.cli.fidelity import in_words
from hotbed.cli.folders import refuse_existing, replacing
from hotbed.cli.parameters import (
    BackendOption,
    JsonOption,
    LocalOption,
    ModelArgument,
    RevisionOption,
)
from hotbed.cli.progress import Steps
from hotbed.cli.texts import read_texts
from hotbed.conversion import Converted, convert_into
from hotbed.errors import NoBackendError, UsageError
from hotbed.loading import default_house
from hotbed.models.layout import is_metadata
from hotbed.quantisation import Quantised, quantize_plainly

__all__ = ["convert"]

_STEMS = {"portable": "model"}


def convert(
    model: ModelArgument,
    output: Annotated[Path, typer.Option("--out", "-o", help="The folder to write.")],
    profile: Annotated[
        str, typer.Option(help="portable runs everywhere; cpu is tuned for ONNX Runtime.")
    ] = "portable",
    to: Annotated[
        str, typer.Option(help="The format; safetensors makes one out of a .bin, with PyTorch.")
    ] = "onnx",
    quantize: Annotated[
        str | None,
        typer.Option(
            help="Write 8-bit integers (int8), 8- or 4-bit weights (w8, q4) or fp16 instead.",
            show_default="float32",
        ),
    ] = None,
    texts: Annotated[
        Path | None,
        typer.Option(help="Texts to check the result on, one a line.", show_default="built in"),
    ] = None,
    with_weights: Annotated[
        bool, typer.Option("--with-weights", help="Copy the safetensors into the folder as well.")
    ] = False,
    accept_loss: Annotated[
        bool, typer.Option("--accept-loss", help="Keep a result that is too far off, and say so.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace an existing folder.")] = False,
    revision: RevisionOption = None,
    backend: BackendOption = None,
    local_files_only: LocalOption = False,
    as_json: JsonOption = False,
) -> None:
    """Convert a model to ONNX without PyTorch: a whole folder, ready to load."""
    started = time.perf_counter()
    refuse_existing(output, force)
    house = default_house()
    located = house.locate(model, revision=revision, local_files_only=local_files_only)
    folder = house.read(located)
    if quantize is not None:
        if with_weights or to != "onnx":
            raise UsageError("--quantize writes one file; leave --with-weights and --to out")
        with Steps(folder.name) as watch, replacing(output) as place:
            done = quantize_plainly(
                house,
                located,
                folder,
                quantize,
                place,
                watch,
                texts=None if texts is None else read_texts(texts),
                backend=backend,
                profile=profile,
                accept_loss=accept_loss,
            )
        seconds = time.perf_counter() - started
        _report(done.converted, output, done.backend, profile, seconds, as_json, done)
        return
    decision = house.decide(Request(action="convert", backend=backend, to=to), folder)
    chosen = decision.chosen
    if chosen is None or chosen.route is None:
        raise NoBackendError(f"nothing here can convert this:\n{decision.explain()}")
    if profile not in chosen.route.capability.profiles:
        profiles = ", ".join(chosen.route.capability.profiles)
        raise UsageError(f"--profile {profile}: {chosen.backend} writes {profiles}")
    variant = chosen.route.variant
    located.fetch([variant.file, *folder.companions(variant), *folder.head_files])
    target = ConvertTarget(format=to, profile=profile, stem=_STEMS.get(profile, f"model_{profile}"))
    engine = house.engine(chosen.backend)
    with errors.status(f"Converting {folder.name} …"), replacing(output) as place:
        gate = house.gate(None if texts is None else read_texts(texts), accept_loss=accept_loss)
        converted = convert_into(engine, folder, target, place, gate, keep_weights=with_weights)
    _report(converted, output, chosen.backend, profile, time.perf_counter() - started, as_json)


def _report(
    converted: Converted,
    output: Path,
    backend: str,
    profile: str,
    seconds: float,
    as_json: bool,
    quantised: Quantised | None = None,
) -> None:
    sizes = {
        file.relative_to(output).as_posix(): file.stat().st_size
        for file in sorted(output.rglob("*"))
        if file.is_file() and not is_metadata(file.name)
    }
    if as_json:
        print_json(
            {
                "folder": str(output),
                "backend": backend,
                "profile": profile,
                "files": sizes,
                "reports": [report.as_dict() for report in converted.reports],
                "seconds": round(seconds, 3),
                **_searched(quantised),
            }
        )
        return
    for name, size in sizes.items():
        out.print(f"{output / name}  {megabytes(size)}", markup=False)
    for report in converted.reports:
        out.print(in_words(report), markup=False)
    if quantised is not None and quantised.found is not None and quantised.found.chosen:
        out.print(
            f"the plain recipe was refused, so layers were searched for that stay float32: "
            f"{quantised.found.chosen.mix}, {len(quantised.found.trials)} tried",
            markup=False,
        )
    profiles = " and ".join(sorted({v.profile for v in converted.variants if v.profile}))
    named = f" to the profile {profiles}" if profiles else ""
    done = "converted" if quantised is None else "quantised"
    out.print(
        f"{done} by {backend}{named} in {seconds:.1f} s; load it with hotbed.load({str(output)!r})",
        markup=False,
    )


def _searched(quantised: Quantised | None) -> dict[str, object]:
    """What a search found, for JSON; nothing where none was needed."""
    if quantised is None or quantised.found is None:
        return {}
    trials = [one.as_dict() for one in quantised.found.trials]
    return {"refused": quantised.refused, "trials": trials}
