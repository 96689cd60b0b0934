"""The kinds of cases of a check. Only ordinary texts count in a mean."""

from __future__ import annotations

__all__ = ["EDGE", "ORDINARY", "REPEATING"]

ORDINARY = "ordinary"
EDGE = "edge"
"""One token, a row of padding, the longest text, a prompt left out."""
REPEATING = "repetition"
"""One thing again and again."""
