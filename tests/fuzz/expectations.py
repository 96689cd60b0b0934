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


EXPECTATIONS: tuple[Expectation, ...] = ()


def expected(case: Case, steps: Sequence[Step], finding: Finding) -> Expectation | None:
    """The expectation that a finding is, if any."""
    return next((one for one in EXPECTATIONS if one.fits(case, steps, finding)), None)
