"""``hotbed.validate`` and ``hotbed validate``."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import hotbed
from hotbed.errors import UsageError
from hotbed.fidelity import Threshold
from hotbed.testing import build_tiny
from tests.isolation import child_environment


def command(*arguments: object) -> subprocess.CompletedProcess[str]:
    """Run ``hotbed validate``."""
    return subprocess.run(
        [sys.executable, "-m", "hotbed", "validate", *map(str, arguments)],
        capture_output=True,
        text=True,
        env=child_environment(),
        check=False,
    )


def test_a_model_and_itself(tiny: Path) -> None:
    """Cosines are 1 and nothing falls short, to numpy's own rounding."""
    found = hotbed.validate(tiny, tiny)
    assert found.fidelity.lowest == pytest.approx(1.0, abs=1e-12)
    assert found.fidelity.max_abs == 0
    assert not found.shortfall


def test_another_model_falls_short(tiny: Path, tmp_path: Path) -> None:
    """The figures are those of numpy on the two arrays."""
    other = build_tiny(tmp_path / "other", seed=5)
    texts = ["a cat", "the dog runs", "bread and water"]
    found = hotbed.validate(tiny, other, texts)
    with hotbed.load(tiny) as a, hotbed.load(other) as b:
        cosines = (a.encode(texts) * b.encode(texts)).sum(axis=1)
    assert found.fidelity.lowest == pytest.approx(float(cosines.min()), abs=1e-6)
    assert found.fidelity.mean == pytest.approx(float(np.mean(cosines)), abs=1e-6)
    assert "lowest cosine" in found.shortfall


def test_open_embedders_stay_open(tiny: Path) -> None:
    """What the caller opened is the caller's."""
    with hotbed.load(tiny) as model:
        hotbed.validate(model, model)
        assert model.encode("cat").shape == (32,)
        with pytest.raises(UsageError, match="dtype: given with an embedder"):
            hotbed.validate(tiny, model, dtype="float32")


def test_bad_input(tiny: Path, tmp_path: Path) -> None:
    """No texts, and models of two dimensions."""
    with pytest.raises(UsageError, match="texts is empty"):
        hotbed.validate(tiny, tiny, [])
    wide = build_tiny(tmp_path / "wide", heads=("Dense",))
    with pytest.raises(UsageError, match=r"\(24, 32\) with \(24, 24\)"):
        hotbed.validate(tiny, wide)


def test_the_command(tiny: Path, tmp_path: Path) -> None:
    """Exit 0 where it is near enough, 1 where it is not, and JSON for scripts."""
    same = command(tiny, tiny)
    assert same.returncode == 0, same.stderr
    assert "near enough" in same.stdout
    other = build_tiny(tmp_path / "other", seed=5)
    far = command(tiny, other, "--json")
    assert far.returncode == 1
    value = json.loads(far.stdout)
    assert value["fidelity"]["lowest"] < 0.99
    assert value["shortfall"]
    assert command(tiny, other, "--min-cosine", "-1").returncode == 0


def test_a_threshold_of_ones_own(tiny: Path, tmp_path: Path) -> None:
    """``least`` takes the place of the dtype's threshold."""
    other = build_tiny(tmp_path / "other", seed=5)
    assert not hotbed.validate(tiny, other, least=Threshold(lowest=-1.0)).shortfall
