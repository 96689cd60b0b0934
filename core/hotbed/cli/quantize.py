"""``hotbed quantize``: the fastest form of a model that keeps a promise."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Annotated

import typer

from hotbed.cli.console import errors, megabytes, out, plain_table, print_json
from hotbed.cli.fidelity import warnings_of
from hotbed.cli.parameters import JsonOption, LocalOption, ModelArgument, RevisionOption
from hotbed.cli.progress import Steps
from hotbed.cli.texts import read_texts
from hotbed.errors import UsageError
from hotbed.making import bounds_of, search_into
from hotbed.publishing import refuse_existing
from hotbed.quantisation import Asked, Found, Trial, require
from hotbed.quantisation.promise import caveat

__all__ = ["quantize"]

_UNITS = ("", "k", "m", "g")
_SIZE = re.compile(r"\s*([0-9]{1,12}(?:\.[0-9]{1,12})?)\s*([kmg]?)(i?)b?\s*", re.IGNORECASE)


def quantize(
    model: ModelArgument,
    output: Annotated[Path, typer.Option("--out", "-o", help="The folder to write.")],
    min_cosine: Annotated[
        float | None, typer.Option(help="Lowest cosine of a text to its float32 vector.")
    ] = None,
    min_mean_cosine: Annotated[
        float | None, typer.Option(help="Mean of those cosines.", show_default="0.99 if alone")
    ] = None,
    max_size: Annotated[
        str | None, typer.Option(help="Size of the weights at most: 40MB, 1.5GB.")
    ] = None,
    min_speedup: Annotated[
        float | None, typer.Option(help="Times as fast as float32, at least, on this machine.")
    ] = None,
    texts: Annotated[
        Path | None,
        typer.Option(
            help="Texts like those the model will see, .txt or .jsonl.", show_default="built in"
        ),
    ] = None,
    backend: Annotated[
        list[str] | None,
        typer.Option(help="Only this backend; may be repeated.", show_default="all installed"),
    ] = None,
    recipe: Annotated[
        list[str] | None,
        typer.Option(help="Only this recipe; may be repeated.", show_default="all"),
    ] = None,
    profile: Annotated[
        str,
        typer.Option(
            help="Graph profile to start from: portable for browsers and other runtimes.",
            show_default="the fastest here",
        ),
    ] = "",
    smallest: Annotated[
        bool, typer.Option("--smallest", help="Look for the smallest, and not the fastest.")
    ] = False,
    allow_batch_dependent: Annotated[
        bool,
        typer.Option(
            "--allow-batch-dependent", help="Let a text's vector depend on the texts beside it."
        ),
    ] = False,
    rounds: Annotated[int, typer.Option(min=1, help="Rounds in which a candidate is timed.")] = 3,
    trials: Annotated[int, typer.Option(min=0, help="Mixes that are tried at most.")] = 12,
    seed: Annotated[int, typer.Option(help="Decides which text serves for what.")] = 0,
    remeasure: Annotated[
        bool, typer.Option("--remeasure", help="Measure again what was measured before.")
    ] = False,
    report: Annotated[
        Path | None, typer.Option(help="Write a page with all candidates and a plot: report.html.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace an existing folder.")] = False,
    revision: RevisionOption = None,
    local_files_only: LocalOption = False,
    as_json: JsonOption = False,
) -> None:
    """Find the fastest mix of int8, 8- and 4-bit weights and float32 that keeps the bounds."""
    started = time.perf_counter()
    most = None if max_size is None else _bytes(max_size)
    bounds = bounds_of(min_cosine, min_mean_cosine, most, min_speedup)
    refuse_existing(output, overwrite=force)
    if report is not None:
        from hotbed.quantisation.page import require_page

        require_page(report)
    asked = Asked(
        bounds=bounds,
        texts=None if texts is None else read_texts(texts),
        backends=tuple(backend or ()),
        recipes=tuple(recipe or ()),
        profile=profile,
        smallest=smallest,
        dependent=allow_batch_dependent,
        rounds=rounds,
        trials=trials,
        seed=seed,
        remeasure=remeasure,
    )
    with Steps(model) as watch:
        found = search_into(
            model,
            output,
            asked,
            overwrite=force,
            revision=revision,
            local_files_only=local_files_only,
            watch=watch,
        )
    if as_json:
        print_json(_as_dict(found, output))
    else:
        _show(found)
    if report is not None:
        from hotbed.quantisation.page import write_page

        for path in write_page(found, report):
            errors.print(f"wrote {path}")
    chosen = require(found)
    if not as_json:
        seconds = time.perf_counter() - started
        out.print(_in_words(chosen, output, seconds))


def _bytes(text: str) -> int:
    match = _SIZE.fullmatch(text)
    if match is None:
        raise UsageError(f"--max-size {text!r:.80}: give a number and a unit, as 40MB or 1.5GB")
    number, unit, binary = match.groups()
    return int(float(number) * (1024 if binary else 1000) ** _UNITS.index(unit.lower()))


def _show(found: Found) -> None:
    out.print(
        f"float32: {megabytes(found.float32_bytes)}; asked for {found.bounds}; {found.texts}",
    )
    table = plain_table("", "backend", "recipe", "size", "speed", "lowest", "mean", "verdict")
    for one in found.trials:
        table.add_row(*_row(one, chosen=one == found.chosen))
    out.print(table)
    for warning in _warnings(found):
        out.print(f"warning: {warning}")
    for refusal in found.refusals:
        errors.print(f"{refusal.backend}: {refusal.reason}", style="dim")


def _warnings(found: Found) -> list[str]:
    """What the gate warns of in what was written."""
    reports = found.converted.reports if found.converted else ()
    return [said for report in reports for said in warnings_of(report)]


def _row(one: Trial, *, chosen: bool) -> list[str]:
    mark = "→" if chosen else "*" if one.leads else ""
    verdict = "chosen" if chosen else f"misses: {one.missed}" if one.missed else "keeps all"
    if one.fidelity is None or one.speedup is None:
        return [mark, one.mix.backend, str(one.mix), "", "", "", "", f"failed: {one.missed}"]
    speed = one.speedup
    return [
        mark,
        one.mix.backend,
        str(one.mix),
        megabytes(one.nbytes),
        f"{speed.median:.2f} × [{speed.least:.2f}..{speed.most:.2f}]",
        f"{one.fidelity.lowest:.4f}",
        f"{one.fidelity.mean:.4f}",
        verdict,
    ]


def _in_words(chosen: Trial, output: Path, seconds: float) -> str:
    held = chosen.held_out
    promise = ""
    if held is not None:
        promise = (
            f"on {held.texts} held-out texts: lowest cosine {held.lowest:.4f}, mean "
            f"{held.mean:.4f} ± {held.margin:.4f}; {caveat(held)}"
        )
    stable = "depends on its neighbours" if chosen.batch_dependent else "does not depend on others"
    return (
        f"* nothing tried is better in everything\n{promise}; a text's vector {stable}\n"
        f"{output} written in {seconds:.0f} s; load it with hotbed.load({str(output)!r})"
    )


def _as_dict(found: Found, output: Path) -> dict[str, object]:
    import attrs

    return {
        "folder": str(output) if found.chosen else None,
        "bounds": attrs.asdict(found.bounds),
        "texts": found.texts,
        "machine": str(found.machine),
        "float32_bytes": found.float32_bytes,
        "chosen": found.chosen.as_dict() if found.chosen else None,
        "caveat": caveat(found.chosen.held_out) if found.chosen else "",
        "warnings": _warnings(found),
        "trials": [one.as_dict() for one in found.trials],
        "sensitivities": [attrs.asdict(one) for one in found.sensitivities],
        "refusals": [attrs.asdict(one) for one in found.refusals],
        "seconds": round(found.seconds, 1),
    }
