"""``hotbed validate``: how near two models, or two forms of one, are."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import attrs
import typer

from hotbed.cli.console import errors, out, plain_table, print_json
from hotbed.cli.parameters import BackendOption, DeviceOption, DtypeOption, JsonOption
from hotbed.cli.texts import read_texts
from hotbed.fidelity import Threshold
from hotbed.validation import Comparison, validate

__all__ = ["validate_command"]

_Cosine = typer.Option(min=-1, max=1, show_default="by the dtype of OTHER")


def validate_command(
    reference: Annotated[str, typer.Argument(help="What is taken for right, as in hotbed embed.")],
    other: Annotated[str, typer.Argument(help="What is judged.")],
    texts: Annotated[
        Path | None,
        typer.Option(help="A .txt or .jsonl of texts.", show_default="built in"),
    ] = None,
    min_cosine: Annotated[float | None, _Cosine] = None,
    min_mean_cosine: Annotated[float | None, _Cosine] = None,
    backend: BackendOption = None,
    device: DeviceOption = "auto",
    dtype: DtypeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Embed the same texts with two models and compare; exit 1 if OTHER is too far off.

    --backend, --device and --dtype are for OTHER.
    """
    least = None
    if min_cosine is not None or min_mean_cosine is not None:
        least = Threshold(
            lowest=-1.0 if min_cosine is None else min_cosine,
            mean=-1.0 if min_mean_cosine is None else min_mean_cosine,
        )
    with errors.status("Comparing …"):
        found = validate(
            reference,
            other,
            None if texts is None else read_texts(texts),
            least=least,
            backend=backend,
            device=device,
            dtype=dtype,
        )
    if as_json:
        print_json({**attrs.asdict(found), "shortfall": found.shortfall})
    else:
        _show(found)
    raise typer.Exit(1 if found.shortfall else 0)


def _show(found: Comparison) -> None:
    table = plain_table("", "")
    table.show_header = False
    fidelity = found.fidelity
    kept = "-" if fidelity.neighbours is None else f"{fidelity.neighbours:.1%}"
    for name, value in (
        ("reference", found.reference),
        ("other", found.other),
        ("texts", str(fidelity.texts)),
        ("lowest cosine", f"{fidelity.lowest:.6f}"),
        ("1st percentile", f"{fidelity.percentile:.6f}"),
        ("mean cosine", f"{fidelity.mean:.6f}"),
        ("largest difference", f"{fidelity.max_abs:.2e}"),
        ("neighbours kept", kept),
    ):
        table.add_row(name, value)
    out.print(table)
    if found.shortfall:
        out.print(f"\ntoo far off: {found.shortfall}", style="yellow")
    else:
        out.print("\nnear enough", style="green")
