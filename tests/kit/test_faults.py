"""Each fault is found by the test that is there for it, and by a message, not by a crash."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.kit.conversion_faults import CONVERSION_FAULTS
from tests.kit.fault import HEALTHY, Fault
from tests.kit.life_faults import LIFE_FAULTS
from tests.kit.manifest_faults import MANIFEST_FAULTS
from tests.kit.patients import examine
from tests.kit.quantisation_faults import (
    LAYERED,
    QUANTISATION_FAULTS,
    QUANTISER,
    RECIPE_FAULTS,
)
from tests.kit.vector_faults import VECTOR_FAULTS

FAULTS = (*MANIFEST_FAULTS, *VECTOR_FAULTS, *LIFE_FAULTS, *CONVERSION_FAULTS)


def test_a_healthy_backend_passes(tmp_path: Path) -> None:
    """The module that all faults are put into passes, with nothing skipped."""
    outcome = examine(tmp_path, HEALTHY, "--hotbed-require", "--hotbed-heavy")
    assert outcome.code == 0, outcome.text
    assert not outcome.failed


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_a_fault_is_found(fault: Fault, tmp_path: Path) -> None:
    """The test named fails."""
    arguments = ["-k", fault.found_by, *(["--hotbed-heavy"] if fault.heavy else [])]
    outcome = examine(tmp_path, HEALTHY + fault.source, *arguments)
    assert outcome.code == 1, outcome.text
    assert fault.found_by in outcome.failed, outcome.text


def test_a_healthy_quantiser_passes(tmp_path: Path) -> None:
    """A backend that rounds weights to 8 bits passes, and its own result serves the int8 case."""
    outcome = examine(tmp_path, QUANTISER, "--hotbed-require")
    assert outcome.code == 0, outcome.text
    suites = {cell["suite"] for cell in outcome.report["backends"][0]["capabilities"]}
    assert suites == {"embed", "manifest", "quantize"}


@pytest.mark.parametrize("fault", QUANTISATION_FAULTS, ids=lambda fault: fault.name)
def test_a_quantisers_fault_is_found(fault: Fault, tmp_path: Path) -> None:
    """The test named fails."""
    chosen = f"TestQuantize and {fault.found_by}"
    outcome = examine(tmp_path, QUANTISER + fault.source, "-k", chosen)
    assert outcome.code == 1, outcome.text
    assert fault.found_by in outcome.failed, outcome.text


def test_a_healthy_backend_with_layers_passes(tmp_path: Path) -> None:
    """A backend whose recipe takes layers and needs texts passes."""
    outcome = examine(tmp_path, LAYERED, "--hotbed-require", "-k", "TestQuantize")
    assert outcome.code == 0, outcome.text


@pytest.mark.parametrize("fault", RECIPE_FAULTS, ids=lambda fault: fault.name)
def test_a_recipes_fault_is_found(fault: Fault, tmp_path: Path) -> None:
    """The test named fails, and no other of its suite hides it."""
    chosen = f"TestQuantize and {fault.found_by}"
    outcome = examine(tmp_path, LAYERED + fault.source, "-k", chosen)
    assert outcome.code == 1, outcome.text
    assert fault.found_by in outcome.failed, outcome.text
