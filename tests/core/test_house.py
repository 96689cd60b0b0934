"""The house: catalogs, engines and probes of one process."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

import hotbed
from hotbed.backends.catalog import BACKENDS
from hotbed.backends.decision import Model, Request, Rules, Stage
from hotbed.backends.selection import select
from hotbed.backends.values import Variant
from hotbed.errors import SettingsError
from hotbed.loading import House, default_house
from hotbed.settings import Settings
from hotbed.testing import build_tiny
from tests.distributions import install

MISSPELT = """
from hotbed.backends import Capability, Manifest, hookimpl
GGUF = Capability(action="embed", formats="gguf")
HOTBED = Manifest(name="acme_typo", hook_api=1, capabilities=[GGUF])
@hookimpl
def hotbed_laod(artifact):
    return None
"""


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder on ``sys.path``."""
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    monkeypatch.delitem(sys.modules, "acme_typo", raising=False)
    return tmp_path / "site"


def test_a_backend_that_does_not_fit_the_hooks_is_a_verdict(site: Path, tmp_path: Path) -> None:
    """A plugin with a misspelt hook is passed over with the reason; it does not stop selection."""
    install(site, "acme-typo", {BACKENDS: {"acme_typo": "acme_typo"}}, {"acme_typo": MISSPELT})
    house = House(Settings(home=tmp_path))
    found = [item for item in house.backends.found() if item.name == "acme_typo"]
    model = Model(name="m", family="bert", variants=(Variant(format="gguf", file="model.gguf"),))
    decision = select(Request(backend="acme_typo"), model, found, house.probe, Rules())
    assert decision.chosen is None
    assert decision.verdicts[0].stage is Stage.LOAD
    assert "does not fit hotbed's hooks" in decision.verdicts[0].reason


def test_refresh_reads_the_settings_again(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """``hotbed.refresh()`` makes the next load follow the settings of that moment."""
    before = default_house()
    monkeypatch.setenv("HOTBED_HOME", str(tmp_path / "elsewhere"))
    assert default_house() is before
    hotbed.refresh()
    assert default_house().settings.home == tmp_path / "elsewhere"


def test_a_mistake_in_the_settings_is_told_at_load(monkeypatch: pytest.MonkeyPatch) -> None:
    """Loading with a variable that cannot be used names the variable."""
    monkeypatch.setenv("HOTBED_MEMORY", "much")
    hotbed.refresh()
    with pytest.raises(SettingsError, match="'memory' in the environment"):
        hotbed.load("anything")


def test_two_houses_stand_beside_one_another(tmp_path: Path) -> None:
    """Houses share nothing: one process can hold two sets of settings."""
    one = House(Settings(home=tmp_path / "a", blocked=["onnx_cpu"]))
    two = House(Settings(home=tmp_path / "b"))
    assert not any(found.usable for found in one.backends.found() if found.name == "onnx_cpu")
    assert two.backends.get("onnx_cpu").usable
    assert one.cache.root != two.cache.root


def test_an_untrusted_project_file_prefers_hotbeds_own_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whose backend a stranger's file names is known once backends are found; then it is said."""
    names = {"hotbed.backends": {"acme_odd": "acme_odd"}}
    install(tmp_path / "site", "acme-odd", names, {"acme_odd": "raise SystemExit('imported')"})
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    model = build_tiny(tmp_path / "tiny")
    Path("hotbed.toml").write_text('priority = ["acme_odd", "onnx_cpu"]')
    hotbed.refresh()
    with pytest.raises(SettingsError, match=r"priority to acme_odd, which is not hotbed's own"):
        hotbed.load(model)
    Path("hotbed.toml").write_text('priority = ["onnx_cpu"]')
    hotbed.refresh()
    assert default_house().priority == ("onnx_cpu",)
