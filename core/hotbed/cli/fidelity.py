"""A fidelity report in words."""

from __future__ import annotations

from hotbed.fidelity import Report

__all__ = ["in_words"]


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
        line += "; a text's vector depends on the texts beside it"
    return line + (f"; accepted: {report.accepted}" if report.accepted else "")
