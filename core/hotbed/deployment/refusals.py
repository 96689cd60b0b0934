"""Candidates that failed: reported once, and tried again after a while."""

from __future__ import annotations

import copy
import time

from attrs import define, evolve, field

from hotbed.deployment.status import Refusal
from hotbed.errors import HotbedError
from hotbed.registry.events import now

__all__ = ["Refusals"]


@define
class Refusals:
    """What failed, by manifest or name.

    Attributes:
        retry: Seconds after which a candidate is tried again.
    """

    retry: float
    _known: dict[str, Refusal] = field(factory=dict)
    _errors: dict[str, tuple[float, Exception]] = field(factory=dict)

    def add(self, key: str, model: str, error: Exception) -> bool:
        """Note a failure; gives whether it is news: the first, or with another reason."""
        old = self._known.get(key)
        reason = f"{type(error).__name__}: {error}"
        new = Refusal(model=model, reason=reason, at=now(), times=1)
        self._known[key] = new if old is None else evolve(new, times=old.times + 1)
        self._errors[key] = (time.monotonic(), _without_frames(error))
        return old is None or old.reason != reason

    def fresh(self, key: str) -> Exception | None:
        """The error of a candidate that failed so lately that it is not tried again yet."""
        when, error = self._errors.get(key, (0.0, None))
        if error is None or time.monotonic() - when >= self.retry:
            return None
        return _without_frames(error)

    def forget(self, key: str) -> None:
        """It serves now."""
        self._known.pop(key, None)
        self._errors.pop(key, None)

    def all(self) -> tuple[Refusal, ...]:
        """Everything that failed and has not served since."""
        return tuple(self._known.values())


def _without_frames(error: Exception) -> Exception:
    """A copy: the frames of the first would keep the candidate's memory."""
    try:
        return copy.copy(error)
    except Exception:  # somebody's exception that cannot be made twice
        return HotbedError(f"{type(error).__name__}: {error}")
