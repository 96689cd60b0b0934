"""Quantise to a promise: the fastest way that keeps bounds on fidelity, size and speed."""

from __future__ import annotations

from hotbed.quantisation.asked import Asked, Watch
from hotbed.quantisation.bounds import Bounds
from hotbed.quantisation.found import Found, require
from hotbed.quantisation.mixes import Mix, Trial
from hotbed.quantisation.plain import Written, quantize_plainly
from hotbed.quantisation.search import search

__all__ = [
    "Asked",
    "Bounds",
    "Found",
    "Mix",
    "Trial",
    "Watch",
    "Written",
    "quantize_plainly",
    "require",
    "search",
]
