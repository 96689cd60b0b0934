"""What a check found, as a value and as JSON."""

from __future__ import annotations

from typing import Any

import attrs
from attrs import field, frozen

from hotbed.fidelity.compare import Fidelity
from hotbed.fidelity.kinds import EDGE, ORDINARY, REPEATING
from hotbed.fidelity.thresholds import WORTH_A_WARNING, Threshold
from hotbed.formats import known

__all__ = ["CaseResult", "Report"]


@frozen(kw_only=True)
class CaseResult:
    """One case of a check.

    Attributes:
        name: What was special about it.
        rows: Texts.
        tokens: The padded length.
        fidelity: What was found.
        kind: ``ordinary``, ``edge`` or ``repetition``.
    """

    name: str
    rows: int
    tokens: int
    fidelity: Fidelity
    kind: str = ORDINARY


@frozen(kw_only=True)
class Report:
    """How near a written model is to what it was made from.

    Attributes:
        reference: What was taken for right.
        runner: What ran the written file.
        dtype: The arithmetic, which decides the threshold.
        threshold: What was asked for.
        overall: The ordinary texts; edge cases are no share of its mean.
        cases: Each case.
        heads: Further outputs of the graph, by name. Of ``sparse`` a row is a case's weights, of
            ``colbert`` a token's vector.
        texts: ``built in`` or ``given``, and how many.
        batch_dependent: Whether a text's vector depended on the texts beside it.
        accepted: The shortfall that the user accepted; ``""`` where there was none.
        unchecked: Why nothing could be compared; ``""`` where it was.
    """

    reference: str
    runner: str
    dtype: str
    threshold: Threshold
    overall: Fidelity | None
    cases: tuple[CaseResult, ...] = ()
    heads: dict[str, Fidelity] = field(factory=dict)
    texts: str = ""
    batch_dependent: bool = False
    accepted: str = ""
    unchecked: str = ""

    @property
    def shortfall(self) -> str:
        """What falls short, in words; ``""`` if nothing does."""
        if self.overall is None:
            return f"it could not be checked: {self.unchecked}"
        found = {"": self.overall, **self.heads}
        short = {name: self.threshold.shortfall(one) for name, one in found.items()}
        said = [f"{name} {words}".strip() for name, words in short.items() if words]
        return "; ".join([*said, *self._beyond(self.threshold.edges, self.threshold.repetition)])

    @property
    def warnings(self) -> tuple[str, ...]:
        """Edge cases that are far off and were let through, each in words."""
        least = self.threshold
        edges = -1.0 if least.edges >= WORTH_A_WARNING else WORTH_A_WARNING
        repetition = -1.0 if least.repetition >= WORTH_A_WARNING else WORTH_A_WARNING
        return tuple(self._beyond(edges, repetition, asked=False))

    def _beyond(self, edges: float, repetition: float, *, asked: bool = True) -> list[str]:
        """The worst case of each kind below its bound."""
        said = []
        for kind, least in ((EDGE, edges), (REPEATING, repetition)):
            cases = [case for case in self.cases if case.kind == kind]
            worst = min(cases, key=lambda case: case.fidelity.lowest, default=None)
            if worst is not None and worst.fidelity.lowest < least:
                bound = f", and at least {least} is asked for" if asked else ""
                said.append(f"cosine {worst.fidelity.lowest:.6f} in the case {worst.name!r}{bound}")
        return said

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return attrs.asdict(self)

    @classmethod
    def from_dict(cls, value: dict[str, Any]) -> Report:
        """Read what ``as_dict`` gave.

        Raises:
            KeyError, TypeError: It is something else.
        """
        overall = value["overall"]
        cases = tuple(
            CaseResult(**{**known(CaseResult, case), "fidelity": _fidelity(case["fidelity"])})
            for case in value["cases"]
        )
        return cls(
            **{
                **known(cls, value),
                "threshold": Threshold(**known(Threshold, value["threshold"])),
                "overall": None if overall is None else _fidelity(overall),
                "cases": cases,
                "heads": {n: _fidelity(one) for n, one in value.get("heads", {}).items()},
            }
        )


def _fidelity(value: dict[str, Any]) -> Fidelity:
    return Fidelity(**known(Fidelity, value))
