"""A finding in words, made as small as it gets."""

from __future__ import annotations

from attrs import evolve

from tests.fuzz.oracle import Finding
from tests.fuzz.session import Outcome, Session

__all__ = ["describe", "shrink"]


def shrink(session: Session, outcome: Outcome, finding: Finding) -> Outcome:
    """The same finding with one change instead of several, where one suffices."""
    if len(outcome.steps) < 2:
        return outcome
    for number in range(3):
        fewer = session.run_one(evolve(outcome.case, kept=(number,)))
        if any((f.kind, f.where) == (finding.kind, finding.where) for f in fewer.findings):
            return fewer
    return outcome


def describe(outcome: Outcome, finding: Finding) -> str:
    """What was found, what was changed, and how to see it again."""
    case = outcome.case
    changes = "\n".join(f"    {ascii(str(step))[1:-1]}" for step in outcome.steps)
    again = f"python -m tests.fuzz --seed {case.session} --case {case.number} --keep FOLDER"
    detail = "\n".join(f"    | {line}" for line in finding.detail.splitlines()[-25:])
    return (
        f"{finding.kind}: {ascii(finding.told)[1:-1]}\n  {finding.where}\n"
        f"  {case.target} of {case.seed.name}, changed:\n{changes}\n  again: {again}"
        + (f"\n{detail}" if detail else "")
    )
