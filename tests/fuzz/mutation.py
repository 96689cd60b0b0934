"""What a mutation is, and which ones a file may get."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from random import Random

from attrs import frozen

__all__ = ["MEANING", "NEUTRAL", "UNREADABLE", "Mutation", "NotApplicableError", "Place", "pick"]

NEUTRAL, UNREADABLE, MEANING = "neutral", "unreadable", "meaning"


class NotApplicableError(Exception):
    """The file has nothing that this mutation could change."""


@frozen(kw_only=True)
class Place:
    """Where a mutation happens.

    Attributes:
        root: The folder that the case's files lie in.
        file: The file that is changed.
        outside: A folder of the sentinel, where nothing may be read or written.
    """

    root: Path
    file: Path
    outside: Path


@frozen(kw_only=True)
class Mutation:
    """A named change of a file.

    Attributes:
        name: For reports.
        act: Changes the file; says in a few words what it did.
        effect: What it means for the vectors: ``neutral``, ``unreadable`` or ``meaning``.
        weight: How often it is drawn, compared with others.
    """

    name: str
    act: Callable[[Random, Place], str]
    effect: str = MEANING
    weight: float = 1.0


def pick(rng: Random, mutations: list[Mutation]) -> Mutation:
    """Draw one, by weight."""
    return rng.choices(mutations, [one.weight for one in mutations])[0]
