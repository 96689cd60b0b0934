"""The page of departures against the tests it names; runs without PyTorch."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "sentence-transformers.md"


@pytest.fixture(scope="module")
def rows() -> list[list[str]]:
    """The cells of every row, less the headings."""
    lines = PAGE.read_text(encoding="utf-8").splitlines()
    table = [line for line in lines if line.startswith("|") and not line.startswith("|---")]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in table]
    return [row for row in cells if row[0] != "behaviour"]


def test_every_row_names_a_test(rows: list[list[str]]) -> None:
    """Each row has four cells, and its last names one test function in tests/oracle."""
    assert len(rows) > 40
    for row in rows:
        assert len(row) == 4, row
        found = re.fullmatch(r"`(test_\w+\.py)::(test_\w+)`", row[3])
        assert found, row
        source = (ROOT / "tests" / "oracle" / found[1]).read_text(encoding="utf-8")
        assert f"\ndef {found[2]}(" in source, row[3]


def test_no_row_stands_twice(rows: list[list[str]]) -> None:
    """No behaviour is listed twice."""
    behaviours = [row[0] for row in rows]
    assert len(behaviours) == len(set(behaviours))
