"""The page on files lists every stored format, and each has a frozen sample."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
DATA = ROOT / "tests" / "data"

_NAMED = re.compile(r"""^_\w*FORMAT\b[^=\n]*=\s*(.+)$""", re.MULTILINE)


def _rows() -> list[list[str]]:
    page = (ROOT / "docs" / "files.md").read_text(encoding="utf-8")
    table = page.partition("| format | version | where | sample |\n")[2].partition("\n\n")[0]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()][
        1:
    ]


def _samples(row: list[str]) -> list[str]:
    return re.findall(r"`([^`]+)`", row[3])


def test_every_format_has_a_version_and_a_sample() -> None:
    """Files that are there."""
    rows = _rows()
    assert len(rows) >= 15
    for row in rows:
        assert len(row) == 4, row
        assert row[1], row
        assert _samples(row), f"{row[0]} has no frozen sample in tests/data"
        for name in _samples(row):
            assert (DATA / name).is_file(), f"{row[0]}: tests/data/{name} is not there"


def test_every_sample_is_listed() -> None:
    """Each file under tests/data belongs to a format."""
    listed = {name for row in _rows() for name in _samples(row)}
    there = {path.relative_to(DATA).as_posix() for path in DATA.rglob("*") if path.is_file()}
    assert there == listed


def test_every_format_of_the_source_is_listed() -> None:
    """Names of formats are constants of the modules that write them."""
    named = set()
    for place in ("core", "plugins"):
        for path in (ROOT / place).rglob("*.py"):
            for line in _NAMED.findall(path.read_text(encoding="utf-8")):
                named |= set(re.findall(r'"(hotbed[.-][a-z-]+)"', line))
    assert len(named) >= 8
    assert named <= {row[0].strip("`") for row in _rows()}


def test_every_version_of_the_tables_has_a_sample() -> None:
    """One for each step of the migrations."""
    steps = (ROOT / "core/hotbed/registry/migrations/versions").glob("step_*.py")
    for number in sorted(path.stem.removeprefix("step_") for path in steps):
        assert (DATA / "registry" / f"database_{number}.sql").is_file()
