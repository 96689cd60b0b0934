"""One way to write a time, in every command."""

from __future__ import annotations

import pytest

from hotbed.cli.durations import seconds
from hotbed.errors import UsageError


@pytest.mark.parametrize(
    ("text", "wanted"),
    [("7d", 604_800), ("12h", 43_200), ("30m", 1800), ("90s", 90), ("1.5h", 5400), ("0s", 0)],
)
def test_a_number_with_its_unit(text: str, wanted: float) -> None:
    """Days, hours, minutes, seconds and weeks."""
    assert seconds("--older-than", text) == wanted


@pytest.mark.parametrize(
    "text", ["7", "", "d", "-1d", "1 day", "1e9d", "nan", "７d", "9" * 400 + "d"]
)
def test_anything_else(text: str) -> None:
    """It is refused with what to write."""
    with pytest.raises(UsageError, match="--older-than .*7d .*12h"):
        seconds("--older-than", text)
