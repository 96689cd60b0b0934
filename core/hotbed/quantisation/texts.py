"""Texts in three parts that share none: to learn ranges, to choose by, and to keep the promise on.

What is chosen because it does well on some texts does better on them than on others. So the promise
is checked on texts that had no say in the choice.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from attrs import Factory, field, frozen

from hotbed.errors import UsageError
from hotbed.fidelity.repetition import CALIBRATION as REPETITIVE
from hotbed.fidelity.texts import TEXTS
from hotbed.inference.inputs import texts_of
from hotbed.tuning.texts import SENTENCES, mixed_texts, spread_over

__all__ = ["LEAST", "Division", "divide"]

LEAST = 48
"""Texts that have to be given: 16 in each part."""

_BUILT_IN = (96, 96, 64)
"""Built-in texts in each part, besides those in other scripts and single words; those held out run
in every conversion."""

_MOST = 512
"""Given texts that are used in each part; more cost time and tell little."""


@frozen(kw_only=True)
class Division:
    """The parts.

    Attributes:
        calibration: Ranges of activations are learned from these.
        search: Candidates are compared on these.
        held_out: What was chosen has to keep its promise on these.
        given: Whether they are the user's.
        held_out_given: Whether those held out are, though the others may not be.
    """

    calibration: tuple[str, ...]
    search: tuple[str, ...]
    held_out: tuple[str, ...]
    given: bool
    held_out_given: bool = field(default=Factory(lambda self: self.given, takes_self=True))

    @property
    def ranges(self) -> tuple[str, ...]:
        """What ranges are learned from: repetition too, which has activations of its own."""
        return (*self.calibration, *REPETITIVE)

    def __str__(self) -> str:
        whose = "given" if self.given else "built-in"
        kept = "" if self.held_out_given == self.given else " given"
        return (
            f"{len(self.calibration)} {whose} texts to calibrate, {len(self.search)} to choose by, "
            f"{len(self.held_out)}{kept} held out"
        )


def divide(texts: Sequence[str] | None, seed: int = 0) -> Division:
    """Divide texts; the same texts and seed give the same parts.

    Args:
        texts: The user's, like those that the model will see; None means built-in ones.
        seed: Decides which text goes where.

    Raises:
        UsageError: There are too few, or something is no text; nothing else was done yet.
    """
    if texts is None:
        return _built_in(seed)
    texts = texts_of(texts, name="texts")
    different = sorted({text for text in texts if text.strip()})
    if len(different) < LEAST:
        raise UsageError(
            f"{len(texts)} texts were given, {len(different)} of them different and not empty; a "
            f"promise needs {LEAST} at least, some hundreds are better: a third each to learn "
            f"ranges, to choose by, and to check on"
        )
    different = _shuffled(different, seed)
    parts = [tuple(spread_over(different[place::3], _MOST)) for place in range(3)]
    return Division(calibration=parts[0], search=parts[1], held_out=parts[2], given=True)


def _shuffled(texts: Sequence[str], seed: int) -> list[str]:
    """The same order on every machine and in every version of everything."""
    return sorted(texts, key=lambda text: hashlib.sha256(f"{seed} {text}".encode()).digest())


def _built_in(seed: int) -> Division:
    """Each part is strung together from sentences of its own."""
    sentences, others = _shuffled(SENTENCES, seed), _shuffled(TEXTS, seed)
    parts = []
    for place in range(3):
        own = sentences[place::3]
        words = [sentence.split()[-1].strip(".") for sentence in own[:4]]
        parts.append((*mixed_texts(_BUILT_IN[place], own), *others[place::3], *words))
    return Division(calibration=parts[0], search=parts[1], held_out=parts[2], given=False)
