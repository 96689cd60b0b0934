"""What a search looks for, and who is told how far it is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from attrs import frozen

from hotbed.quantisation.bounds import Bounds
from hotbed.quantisation.mixes import Trial
from hotbed.quantisation.texts import Division

__all__ = ["Asked", "Watch"]


class Watch(Protocol):
    """Somebody who is told how far it is. A protocol, because a bar belongs to a terminal."""

    def expect(self, steps: int) -> None:
        """So many more steps will come, perhaps fewer."""
        ...

    def step(self, what: str) -> None:
        """The next step."""
        ...


@frozen(kw_only=True)
class Asked:
    """What is looked for, and where.

    Attributes:
        bounds: The promise.
        texts: Texts like those that the model will see; None means built-in ones.
        backends: Only these; none means all that are installed.
        recipes: Only these; none means all.
        profile: The graph profile to start from; ``""`` leaves it to each backend.
        smallest: Whether the smallest is looked for, and not the fastest.
        dependent: Whether a text's vector may depend on the texts beside it.
        rounds: Rounds in which each candidate is timed.
        trials: Mixes that are written and timed at most, besides the recipes themselves.
        seed: Decides which text serves for what.
        remeasure: Whether speeds that were measured before are measured again.
        division: The texts as they were divided before; None divides ``texts``.
        known: What was tried before, on these texts; it is not tried again.
    """

    bounds: Bounds
    texts: Sequence[str] | None = None
    backends: tuple[str, ...] = ()
    recipes: tuple[str, ...] = ()
    profile: str = ""
    smallest: bool = False
    dependent: bool = False
    rounds: int = 3
    trials: int = 12
    seed: int = 0
    remeasure: bool = False
    division: Division | None = None
    known: tuple[Trial, ...] = ()
