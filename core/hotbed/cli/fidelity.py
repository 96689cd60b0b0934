"""A fidelity report in words."""

from __future__ import annotations

from hotbed.fidelity import Report

__all__ = ["in_words"]

_WHOLE = frozenset({"int8", "uint8", "q8", "w8", "q4"})
"""Storages of which some forms take the ranges of activations from each batch."""


def in_words(report: Report) -> str:
    """One line: what was compared with what, and what was found."""
    if report.overall is None:
        return f"not checked: {report.unchecked}"
    found = report.overall
    near = "" if found.neighbours is None else f", neighbours kept {found.neighbours:.1%}"
    line = (
        f"checked against {report.reference} on {found.texts} rows: lowest cosine "
        f"{found.lowest:.6f}, mean {found.mean:.6f}, max abs {found.max_abs:.1e}{near}"
    )
    for name, head in report.heads.items():
        line += f"; {name}: lowest cosine {head.lowest:.6f}, max abs {head.max_abs:.1e}"
    if report.batch_dependent:
        line += "; ranges come from each batch: a text's vector depends on the texts beside it"
    elif report.dtype in _WHOLE:
        line += "; no range comes from the batch"
    return line + (f"; accepted: {report.accepted}" if report.accepted else "")
