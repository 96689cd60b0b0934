"""Times on the command line: a number with its unit, the same for every command."""

from __future__ import annotations

import math
import re

from hotbed.errors import UsageError

__all__ = ["seconds"]

_SECONDS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0, "w": 604_800.0}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)([smhdw])", re.ASCII)


def seconds(option: str, text: str) -> float:
    """Seconds of ``7d``, ``12h``, ``30m``.

    Args:
        option: Its name, for the message.
        text: What was written.

    Raises:
        UsageError: It is none, or has no unit.
    """
    match = _DURATION.fullmatch(text.strip())
    found = float(match[1]) * _SECONDS[match[2]] if match else math.inf
    if not math.isfinite(found):
        raise UsageError(
            f"{option} {text!r:.80}: write a number with its unit: 7d (days), 12h (hours), "
            f"30m (minutes), 90s or 2w"
        )
    return found
