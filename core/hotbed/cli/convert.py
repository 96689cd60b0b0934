"""``hotbed convert``: a model folder that runs without PyTorch."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from hotbed.cli.console import megabytes, out, print_json
from hotbed.cli.fidelity import in_words, warnings_of
from hotbed.cli.parameters import (
    BackendOption,
    JsonOption,
    LocalOption,
    ModelArgument,
    RevisionOption,
)
from hotbed.cli.progress import Steps
from hotbed.cli.texts import read_texts
from hotbed.making import convert as write
from hotbed.models.layout import is_metadata
from hotbed.quantisation import Written
from hotbed.quantisation.mixes import FLOAT32
from hotbed.quantisation.promise import caveat

__all__ = ["convert"]


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
    with Steps(model) as watch:
        done = write(
            model,
            output,
            dtype=quantize,
            profile=profile,
            to=to,
            texts=None if texts is None else read_texts(texts),
            with_weights=with_weights,
            accept_loss=accept_loss,
            backend=backend,
            overwrite=force,
            revision=revision,
            local_files_only=local_files_only,
            watch=watch,
        )
    seconds = time.perf_counter() - started
    if as_json:
        print_json({**_as_dict(done, profile), "seconds": round(seconds, 3)})
        return
    _show(done)
    work = "converted" if quantize is None else "quantised"
    profiles = " and ".join(sorted({v.profile for v in done.converted.variants if v.profile}))
    named = f" to the profile {profiles}" if profiles else ""
    out.print(
        f"{work} by {done.backend}{named} in {seconds:.1f} s; load it with "
        f"hotbed.load({str(output)!r})",
    )


def _sizes(folder: Path) -> dict[str, int]:
    return {
        file.relative_to(folder).as_posix(): file.stat().st_size
        for file in sorted(folder.rglob("*"))
        if file.is_file() and not is_metadata(file.name)
    }


def _as_dict(done: Written, profile: str) -> dict[str, object]:
    converted = done.converted
    searched = {}
    if done.found is not None:
        trials = [one.as_dict() for one in done.found.trials]
        held_out = done.found.chosen.held_out if done.found.chosen else None
        searched = {"refused": done.refused, "trials": trials, "caveat": caveat(held_out)}
    return {
        "folder": str(converted.path),
        "backend": done.backend,
        "profile": profile,
        "files": _sizes(converted.path),
        "reports": [report.as_dict() for report in converted.reports],
        "warnings": [said for report in converted.reports for said in warnings_of(report)],
        **searched,
    }


def _show(done: Written) -> None:
    for name, size in _sizes(done.converted.path).items():
        out.print(f"{done.converted.path / name}  {megabytes(size)}")
    for report in done.converted.reports:
        out.print(in_words(report))
    if done.found is not None and done.found.chosen is not None:
        mix = done.found.chosen.mix
        kept = sum(recipe == FLOAT32 for _, recipe in mix.layers)
        out.print(
            f"the plain recipe was refused; of those tried, {len(done.found.trials)}, this is the "
            f"smallest that keeps the bounds: {mix}; layers that stay float32: {kept or 'none'}",
        )
        out.print(caveat(done.found.chosen.held_out))
