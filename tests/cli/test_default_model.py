"""The default model, where it has been fetched (nox's session ``model`` does)."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tests.cli.conftest import Run
from tests.default_model import require_default_model

SHARED = os.environ.get("HOTBED_HOME", "")


@pytest.fixture
def home() -> Path:
    """The shared home; the test is skipped where it does not hold the model."""
    require_default_model()
    return Path(SHARED)


def test_quickstart_finds_the_right_texts(hotbed: Run) -> None:
    """Bread is answered by flour, the planet by Jupiter, the laptop by the charger."""
    report = json.loads(hotbed("quickstart", "--json").stdout)
    found = [row["nearest"].split()[0] for row in report["search"]]
    assert found == ["Knead", "Jupiter", "If"]
    assert all(row["score"] > 0.4 for row in report["search"])
    assert (report["dimension"], report["provider"]) == (384, "CPUExecutionProvider")
