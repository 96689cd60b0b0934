"""``hotbed quantize --report`` is refused before the search, not after it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Run

pytest.importorskip("jinja2")
pytest.importorskip("matplotlib")


@pytest.mark.parametrize(
    ("report", "said"),
    [
        ("report.pdf", "report.pdf does not end in .html"),
        ("absent/report.html", "the folder absent for the report does not exist"),
    ],
)
def test_a_report_that_cannot_be_written_stops_the_command_at_once(
    hotbed: Run, tmp_path: Path, report: str, said: str
) -> None:
    """Not even the model is looked for, and nothing is written."""
    done = hotbed("quantize", "no/such-model", "--out", "out", "--report", report)
    assert (done.returncode, said in done.stderr) == (2, True), done.stderr
    assert not (tmp_path / "out").exists()
    assert not (tmp_path / "absent").exists()
