"""How long a search will take, from what its first runs took: said before it goes on."""

from __future__ import annotations

import logging
import time

from attrs import define, field

__all__ = ["Forecast", "in_time"]

_log = logging.getLogger("hotbed.quantisation")

_OFTEN = 10.0
"""Seconds between two lines of progress."""


def in_time(seconds: float) -> str:
    """A duration for people.

    >>> in_time(7), in_time(200)
    ('10 s', '3.5 min')
    """
    if seconds < 100:
        return f"{max(1, round(seconds / 5)) * 5} s"
    return f"{round(seconds / 30) / 2:g} min"


@define(kw_only=True)
class Forecast:
    """What is left, by kind of work, and what one piece of each kind takes.

    Attributes:
        left: Kind → pieces that are left at most.
        takes: Kind → seconds of one piece: a guess until one was measured.
    """

    left: dict[str, int]
    takes: dict[str, float]
    _measured: dict[str, list[float]] = field(factory=dict, init=False)
    _told: float = field(factory=time.monotonic, init=False)

    @property
    def seconds(self) -> float:
        """What all that is left takes."""
        return sum(count * self.takes[kind] for kind, count in self.left.items())

    def announce(self) -> None:
        """Say before the search what will come, and how long it will take."""
        parts = ", ".join(f"{count} {kind}" for kind, count in self.left.items() if count)
        _log.info("the search: up to %s; about %s", parts, in_time(self.seconds))

    def done(self, kind: str, what: str, seconds: float) -> None:
        """One piece was done."""
        times = self._measured.setdefault(kind, [])
        times.append(seconds)
        self.takes[kind] = sum(times) / len(times)
        self.left[kind] = max(0, self.left[kind] - 1)
        if time.monotonic() - self._told > _OFTEN:
            self._told = time.monotonic()
            left = sum(self.left.values())
            _log.info("%s; up to %d more, about %s", what, left, in_time(self.seconds))

    def none_left(self, kind: str) -> None:
        """There is no more of a kind, though some were expected."""
        self.left[kind] = 0
