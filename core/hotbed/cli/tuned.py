"""What ``hotbed tune`` prints: what was measured, what that changes, and what is recorded."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from attrs import asdict
from rich.table import Table
from rich.text import Text

from hotbed.backends.catalog import Found
from hotbed.backends.decision import Verdict
from hotbed.cli.console import out, plain_table, print_json
from hotbed.loading import House
from hotbed.measurements import Machine, Record, this_machine
from hotbed.tuning import Choice, Outcome, Refusal, Spread, Tuned, Who, who

__all__ = ["print_records", "print_tuned"]


def print_tuned(tuned: Tuned, model: str, path: Path | None, as_json: bool) -> None:
    """Show what was measured.

    Args:
        tuned: What came of it.
        model: As the user called it.
        path: Where it was recorded; None if it was not.
        as_json: Whether to print JSON.
    """
    if as_json:
        print_json(_as_dict(tuned, path))
        return
    where = tuned.where
    out.print(f"{model}: {where.shape}")
    out.print(f"{where.machine}\n")
    out.print(_table(tuned))
    out.print(f"\n{_legend(tuned)}", style="dim")
    for one in tuned.outcomes:
        if one.flaw:
            line = f"\n{_name(one.verdict)} is not recorded: {one.flaw}"
            out.print(line, style="yellow")
        elif one.as_fast_as:
            line = f"\n{_name(one.verdict)} beat {one.as_fast_as} in some rounds and not in others"
            out.print(f"{line}: they rank alike, and the ordinary order decides")
    _show_refusals(tuned.refusals)
    _show_choices(tuned, model, path)


def _table(tuned: Tuned) -> Table:
    names = ("backend", "dtype", "device", "batch", "texts/s", "× today", "query, ms", "cosine")
    table = plain_table(*names)
    for one in sorted(tuned.outcomes, key=_order):
        backend, _, device, dtype = who(one.verdict)
        cosine = "-" if one.lowest_cosine is None else f"{one.lowest_cosine:.6f}"
        speeds = (_spread(one.bulk, 1), _spread(one.ratio, 2), _spread(one.query, 1, 1e3))
        cells = (backend, dtype, device, str(one.token_budget or "-"), *speeds, cosine)
        table.add_row(*cells, style="yellow" if one.flaw else "")
    return table


def _order(one: Outcome) -> tuple[bool, float]:
    return one.ratio is None, -(one.ratio.median if one.ratio else 0)


def _spread(value: Spread | None, digits: int, factor: float = 1) -> Text:
    """The median, and below it the least and the greatest."""
    if value is None:
        return Text("-")
    median, least, most = (
        f"{number * factor:,.{digits}f}" for number in (value.median, value.least, value.most)
    )
    return Text.assemble(median, (f"\n{least}..{most}", "dim"))


def _legend(tuned: Tuned) -> str:
    of = "of short queries" if tuned.where.purpose == "queries" else "of texts"
    (today, _, _, dtype), (reference, *_, exact) = tuned.today, tuned.reference
    counted = f"{tuned.rounds} round{'s' * (tuned.rounds != 1)} of {tuned.where.texts} texts"
    lines = [
        f"batch: padded tokens; medians of {counted}, least..most",
        f"× today: the rate {of} to that of today's choice, {today} {dtype}, round by round",
        f"cosine: the lowest to the vectors of {reference} {exact}",
    ]
    if tuned.untried:
        sizes = ", ".join(f"{budget:,}" for budget in tuned.untried)
        lines.append(f"not tried: batches of {sizes} tokens, too few of which make a pass")
    others = [_name(o.verdict) for o in tuned.outcomes if o.record is None and not o.flaw]
    if others:
        lines.append(f"for comparison only, and not recorded: {', '.join(others)}")
    return "\n".join(lines)


def _show_refusals(refusals: Iterable[Refusal]) -> None:
    alike: dict[tuple[str, str, str], list[Refusal]] = {}
    for one in refusals:
        reason = one.reason.replace(one.dtype, "…") if one.dtype else one.reason
        alike.setdefault((one.backend, one.device, reason), []).append(one)
    if not alike:
        return
    out.print("\nCannot serve this model", style="bold")
    for (backend, device, reason), those in alike.items():
        dtypes = ", ".join(one.dtype for one in those)
        words = those[0].reason if len(those) == 1 else reason
        fix = f"   fix: {those[0].fix}" if those[0].fix else ""
        name = f"{backend} {dtypes} on {device}" if dtypes else backend
        out.print(f"{name}: {words}{fix}", style="dim")


def _show_choices(tuned: Tuned, model: str, path: Path | None) -> None:
    rest = "" if path else " (nothing was recorded: --dry-run)"
    out.print("\nWhat this changes", style="bold", end="")
    out.print(rest)
    budgets = {who(one.verdict): one for one in tuned.outcomes}
    plain = tuned.choices[0].after
    for choice in tuned.choices:
        if choice.dtype and choice.after and plain and who(choice.after) == who(plain):
            continue  # said already, without a dtype
        dtype = "" if choice.dtype is None else f", dtype={choice.dtype!r}"
        call = f"hotbed.load({model!r}{dtype})"
        out.print(f"{call}: {_change(choice, budgets, bool(path))}")
    if path and tuned.fresh:
        undo = f"`hotbed tune {model} --forget` removes it"
        out.print(f"\nrecorded in {path}; {undo}")


def _change(choice: Choice, outcomes: Mapping[Who, Outcome], done: bool) -> str:
    if choice.after is None:
        return "nothing serves it"
    before, after = choice.before, choice.after
    one = outcomes.get(who(after))
    batches = ""
    if one is not None and one.record is not None and one.token_budget != one.budget_today:
        batches = f", in batches of {one.token_budget:,} tokens instead of {one.budget_today:,}"
    if before is not None and who(before) == who(after):
        return f"{_name(after)}, as before{batches}"
    verb = "now" if done else "would be"
    return f"{verb} {_name(after)} instead of {_name(before) if before else 'nothing'}{batches}"


def _name(verdict: Verdict) -> str:
    backend, _, device, dtype = who(verdict)
    return f"{backend} {dtype} on {device}"


def _as_dict(tuned: Tuned, path: Path | None) -> dict[str, Any]:
    return {
        "shape": tuned.where.shape,
        "machine": asdict(tuned.where.machine),
        "for": tuned.where.purpose,
        "texts": tuned.where.texts,
        "rounds": tuned.rounds,
        "untried_token_budgets": tuned.untried,
        "date": tuned.where.date,
        "today": tuned.today,
        "reference": tuned.reference,
        "candidates": [_outcome_dict(one) for one in tuned.outcomes],
        "refused": [asdict(one) for one in tuned.refusals],
        "choices": [
            {
                "dtype": choice.dtype,
                "before": choice.before and who(choice.before),
                "after": choice.after and who(choice.after),
            }
            for choice in tuned.choices
        ],
        "recorded_in": str(path) if path and tuned.fresh else None,
    }


def _outcome_dict(one: Outcome) -> dict[str, Any]:
    backend, dist, device, dtype = who(one.verdict)
    return {
        "backend": backend,
        "distribution": dist,
        "version": one.verdict.version,
        "device": device,
        "dtype": dtype,
        "token_budget": one.token_budget,
        "token_budget_today": one.budget_today,
        "texts_per_second": one.bulk and asdict(one.bulk),
        "query_seconds": one.query and asdict(one.query),
        "ratio": one.ratio and asdict(one.ratio),
        "lowest_cosine": one.lowest_cosine,
        "score": one.record.measurement.score if one.record else None,
        "as_fast_as": one.as_fast_as,
        "flaw": one.flaw,
    }


# --- what is recorded ------------------------------------------------------------------------


def print_records(house: House, as_json: bool) -> None:
    """Show every record, and whether it counts here."""
    records, path = house.records(), house.settings.tuned
    here = this_machine()
    states = [_state(record, here, house.backends.found()) for record in records]
    if as_json:
        pairs = zip(records, states, strict=True)
        print_json({"file": str(path), "records": [{**asdict(r), "state": s} for r, s in pairs]})
        return
    if not records:
        out.print(f"nothing is recorded in {path}; `hotbed tune MODEL` measures")
        return
    table = plain_table("model", "backend", "dtype", "device", "texts/s", "query, ms", "date", "")
    for record, state in zip(records, states, strict=True):
        one = record.measurement
        table.add_row(
            one.shape,
            f"{one.backend} {one.version}",
            one.dtype,
            one.device,
            f"{one.bulk:,.1f}",
            f"{one.query * 1e3:.2f}",
            record.date[:10],
            state,
            style="" if state == "counts" else "dim",
        )
    out.print(table)
    out.print(f"\nin {path}")


def _state(record: Record, here: Machine, found: Iterable[Found]) -> str:
    if record.machine != this_machine(record.machine.cpus):
        return f"does not count: measured on {record.machine}"
    one = record.measurement
    versions = [f.version for f in found if (f.name, f.dist) == (one.backend, one.dist)]
    if not versions:
        return "does not count: the backend is not installed"
    if one.version not in versions:
        return f"does not count: version {versions[0]} is installed"
    if record.machine != here:
        return f"counts for threads={record.machine.cpus}"
    return "counts"
