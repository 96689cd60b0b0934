"""docs/backends.md is what the kit's reports say, and the reports are of today's manifests."""

from __future__ import annotations

import json
from importlib.metadata import entry_points

import pytest

from hotbed.backends.catalog import BACKENDS
from hotbed.testing.cases import cases_of
from tools.backends_table import PAGE, REPORTS, render

OWN = sorted(ep.name for ep in entry_points(group=BACKENDS) if ep.dist and ep.dist.name == "hotbed")


def test_the_page_is_what_the_reports_say() -> None:
    """Else: ``python tools/backends_table.py``."""
    assert PAGE.read_text(encoding="utf-8") == render(sorted(REPORTS.glob("*.json")))


@pytest.mark.parametrize("name", OWN)
def test_every_backend_of_hotbeds_own_has_a_report_of_what_it_declares(name: str) -> None:
    """A capability that was added since shows no result. Else: run the kit with --hotbed-report."""
    report = json.loads((REPORTS / f"{name}.json").read_text(encoding="utf-8"))
    (backend,) = report["backends"]
    shown = {(cell["suite"], cell["case"]) for cell in backend["capabilities"]}
    actions = ("embed", "convert", "quantize")
    declared = {(action, str(case)) for action in actions for case in cases_of(name, action)}
    assert shown == declared | {("manifest", "")}
    assert not [r for r in backend["not passed"] if r["outcome"] == "failed"]
