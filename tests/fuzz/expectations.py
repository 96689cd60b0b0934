"""What is known, cannot be mended in hotbed, and is therefore no finding; each with its reason."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from attrs import frozen

from tests.fuzz.oracle import Finding
from tests.fuzz.schedule import Case, Step

__all__ = ["EXPECTATIONS", "Expectation", "expected"]


@frozen(kw_only=True)
class Expectation:
    """A limit that is stated in SECURITY.md or the documentation.

    Attributes:
        reason: Why it cannot be mended here, and who could.
        fits: Whether a finding is this one.
    """

    reason: str
    fits: Callable[[Case, Sequence[Step], Finding], bool]


def _graph_memory(case: Case, steps: Sequence[Step], finding: Finding) -> bool:
    bomb = any(step.mutation == "graph bomb" for step in steps)
    return bomb and case.seed.group == "graphs" and finding.kind == "growth"


EXPECTATIONS: tuple[Expectation, ...] = (
    Expectation(
        reason=(
            "What a stranger's graph computes on the way may be as large as it says: onnxruntime "
            "has no limit for a session's memory that a caller could set without changing it for "
            "the whole process. A container's limit, or ulimit, bounds it"
        ),
        fits=_graph_memory,
    ),
)


def expected(case: Case, steps: Sequence[Step], finding: Finding) -> Expectation | None:
    """The expectation that a finding is, if any."""
    return next((one for one in EXPECTATIONS if one.fits(case, steps, finding)), None)
