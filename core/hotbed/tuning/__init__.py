"""``hotbed tune``: find out which backend is the fastest for a model on this machine."""

from __future__ import annotations

from hotbed.tuning.bench import Bench
from hotbed.tuning.candidates import Asked, Refusal, Who, who
from hotbed.tuning.measure import Choice, Tuned, Watch, tune
from hotbed.tuning.outcome import Circumstances, Outcome
from hotbed.tuning.timing import Spread

__all__ = [
    "Asked",
    "Bench",
    "Choice",
    "Circumstances",
    "Outcome",
    "Refusal",
    "Spread",
    "Tuned",
    "Watch",
    "Who",
    "tune",
    "who",
]
