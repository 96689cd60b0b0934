"""hotbed among real distributions that are broken, or take a name that is not theirs.

They lie in ``tests/dists``. ``HOTBED_REQUIRE=dists`` turns their absence into a failure.
"""

from __future__ import annotations

import importlib.metadata
import os
import subprocess
import sys
from pathlib import Path

import pytest

import hotbed
from hotbed.backends.catalog import Catalog, Found
from hotbed.errors import NoBackendError
from hotbed.loading import default_house
from hotbed.testing import build_tiny
from tests.isolation import child_environment

DISTS = ("hotbed-raises", "hotbed-thief")


def _absent() -> list[str]:
    installed = {dist.name for dist in importlib.metadata.distributions()}
    return [name for name in DISTS if name not in installed]


@pytest.fixture(autouse=True)
def distributions() -> None:
    """Both distributions have to be installed."""
    if absent := _absent():
        why = f"not installed: {', '.join(absent)}; pip install --no-deps tests/dists/*"
        if "dists" in os.environ.get("HOTBED_REQUIRE", "").split(","):
            pytest.fail(why)
        pytest.skip(why)


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    """A tiny model."""
    return build_tiny(tmp_path / "tiny")


def found(dist: str) -> Found:
    """What the catalog holds of a distribution."""
    (one,) = [item for item in Catalog().found() if item.dist == dist]
    return one


def test_the_one_that_raises_is_recorded() -> None:
    """Its error is kept as text, with distribution and version, and it cannot be used."""
    raises = found("hotbed-raises")
    assert (raises.name, raises.version) == ("raises", "1.0")
    assert raises.error == "ImportError: libraises.so.3: cannot open shared object file"
    assert not raises.usable


def test_the_thief_is_recorded_and_not_imported() -> None:
    """The stolen name stays hotbed's, the thief is not imported, and the reason is kept."""
    thief = found("hotbed-thief")
    assert thief.name == "onnx_cpu"
    assert "belongs to the distribution 'hotbed'" in thief.conflict
    assert not thief.usable
    assert "hotbed_thief" not in sys.modules
    assert Catalog().get("onnx_cpu").first_party


def test_the_command_shows_both() -> None:
    """``hotbed backends`` lists them with their reasons, and succeeds."""
    done = subprocess.run(
        [sys.executable, "-m", "hotbed", "backends"],
        capture_output=True,
        text=True,
        env=child_environment(COLUMNS="300", NO_COLOR="1"),
        check=False,
    )
    assert done.returncode == 0, done.stderr
    for text in ("hotbed-raises", "libraises.so.3", "hotbed-thief", "belongs to the distribution"):
        assert text in done.stdout


def test_a_model_loads_with_hotbeds_own_backend(tiny: Path) -> None:
    """Beside both, ``hotbed.load`` works, and it is the first-party onnx_cpu that serves."""
    with hotbed.load(tiny) as model:
        assert model.encode("the cat").shape == (32,)
        assert model.decision.chosen is not None
        assert (model.decision.chosen.backend, model.decision.chosen.dist) == ("onnx_cpu", "hotbed")
        why = model.why()
    assert "name conflict" in why
    assert "load: ImportError: libraises.so.3" in why
    assert default_house().backends.get("onnx_cpu").dist == "hotbed"


def test_naming_the_broken_one_is_an_error_with_its_reason(tiny: Path) -> None:
    """``backend="raises"`` does not fall through to another, and says what is wrong with it."""
    with pytest.raises(NoBackendError, match=r"libraises\.so\.3"):
        hotbed.load(tiny, backend="raises")
