"""A fidelity report in words."""

from __future__ import annotations

from hotbed.fidelity import Report
from hotbed.fidelity.kinds import ORDINARY

__all__ = ["in_words", "warnings_of"]

_WHOLE = frozenset({"int8", "uint8", "q8", "w8", "q4"})
"""Storages of which some forms take the ranges of activations from each batch."""


def in_words(report: Report) -> str:
    """What was compared with what, what was found, and a line for each warning."""
    if report.overall is None:
        return f"not checked: {report.unchecked}"
    found = report.overall
    near = "" if found.neighbours is None else f", neighbours kept {found.neighbours:.1%}"
    line = (
        f"checked against {report.reference} on {found.texts} texts: lowest cosine "
        f"{found.lowest:.6f}, mean {found.mean:.6f} ± {found.margin:.6f}, max abs "
        f"{found.max_abs:.1e}{near}"
    )
    edges = [case for case in report.cases if case.kind != ORDINARY]
    if edges:
        worst = min(edges, key=lambda case: case.fidelity.lowest)
        line += (
            f"; {len(edges)} edge cases: lowest cosine {worst.fidelity.lowest:.6f} ({worst.name})"
        )
    for name, head in report.heads.items():
        line += f"; {name}: lowest cosine {head.lowest:.6f}, max abs {head.max_abs:.1e}"
    if report.batch_dependent:
        line += "; ranges come from each batch: a text's vector depends on the texts beside it"
    elif report.dtype in _WHOLE:
        line += "; no range comes from the batch"
    if report.accepted:
        line += f"; accepted: {report.accepted}"
    return "\n".join([line, *(f"warning: {one}" for one in warnings_of(report))])


def warnings_of(report: Report) -> list[str]:
    """What the report warns of, in words that say what follows."""
    return [f"{one}: vectors of such texts are far from float32's" for one in report.warnings]
