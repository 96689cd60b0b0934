"""What a check found, as a value and as JSON."""

from __future__ import annotations

from typing import Any

import attrs
from attrs import field, frozen

from hotbed.fidelity.compare import Fidelity
from hotbed.fidelity.thresholds import Threshold
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
    """

    name: str
    rows: int
    tokens: int
    fidelity: Fidelity


@frozen(kw_only=True)
class Report:
    """How near a written model is to what it was made from.

    Attributes:
        reference: What was taken for right.
        runner: What ran the written file.
        dtype: The arithmetic, which decides the threshold.
        threshold: What was asked for.
        overall: All texts of all cases together.
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
        return "; ".join(f"{name} {said}".strip() for name, said in short.items() if said)

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
