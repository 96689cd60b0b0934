"""docs/families.md is what the oracle tests measured, and names every family of the builder."""

from __future__ import annotations

import json

from hotbed_onnx.families import FAMILIES
from tools.families_table import EXAMPLES, PAGE, REPORT, render

MEASURED = json.loads(REPORT.read_text(encoding="utf-8"))


def test_the_page_is_what_was_measured() -> None:
    """Else: ``python tools/families_table.py``."""
    assert PAGE.read_text(encoding="utf-8") == render(MEASURED)


def test_every_family_of_the_builder_was_measured() -> None:
    """A family that was added since shows no result. Else: run tests/oracle as the tool says."""
    assert set(MEASURED["families"]) == set(FAMILIES) == set(EXAMPLES)


def test_what_was_measured_passes_the_oracles_own_bound() -> None:
    """The report is of a run in which every test passed."""
    for cells in MEASURED["families"].values():
        for cell in cells.values():
            assert cell["lowest"] >= 0.99999
            assert cell["max_abs"] <= 1e-4
