"""hotbed among real distributions that are broken, misfit, or take a name that is not theirs.

They lie in ``tests/dists``. ``HOTBED_REQUIRE=dists`` turns their absence into a failure.
"""

from __future__ import annotations

import importlib.metadata
import json
import os
import re
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import pytest

import hotbed
from hotbed.backends.catalog import WRAPPERS, Catalog, Found
from hotbed.errors import HotbedWarning, NoBackendError
from hotbed.loading import House, default_house
from hotbed.settings import Settings
from hotbed.testing import build_tiny
from tests.isolation import child_environment

BACKENDS = {
    "hotbed-asserts": "asserts",
    "hotbed-exits": "exits",
    "hotbed-future": "future",
    "hotbed-misfits": "misfits",
    "hotbed-raises": "raises",
    "hotbed-thief": "onnx_cpu",
}
DISTS = (*BACKENDS, "hotbed-miswraps")
KEEP_OUT = "pip install -U {0}, or keep it out: HOTBED_BLOCKED={1}"
# Beside these distributions, a wrapper is missed at every load, and that is told.
MISWRAPS = "ignore:the plugin 'miswraps':hotbed.errors.HotbedWarning"


def _absent() -> list[str]:
    installed = {dist.name for dist in importlib.metadata.distributions()}
    return [name for name in DISTS if name not in installed]


@pytest.fixture(autouse=True)
def distributions() -> None:
    """All of them have to be installed."""
    if absent := _absent():
        why = f"not installed: {', '.join(absent)}; pip install --no-deps tests/dists/NAME for each"
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


def command(*arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    """Run ``hotbed`` as a process of its own, on a wide terminal."""
    return subprocess.run(
        [sys.executable, "-m", "hotbed", *arguments],
        capture_output=True,
        text=True,
        env=child_environment(COLUMNS="300", NO_COLOR="1", **env),
        check=False,
    )


def rows() -> dict[str, dict[str, Any]]:
    """The rows of ``hotbed backends --json`` by distribution; of hotbed's own, onnx_cpu's."""
    done = command("backends", "--json")
    assert done.returncode == 0, done.stderr
    sections = json.loads(done.stdout)
    found = [row for section in sections.values() for row in section]
    own = [row["name"] for row in found if row["distribution"] == "hotbed"]
    assert sorted(own) == ["onnx_cpu", "pytorch"]
    return {row["distribution"]: row for row in found if row["name"] != "pytorch"}


@pytest.mark.parametrize(
    ("dist", "error"),
    [
        ("hotbed-raises", "ImportError: libraises.so.3: cannot open shared object file"),
        ("hotbed-asserts", "AssertionError: no accelerator of the type A1 in this machine"),
        ("hotbed-exits", "SystemExit: hotbed-exits: no licence file; see https://example.org"),
        ("hotbed-misfits", "it does not fit hotbed's hooks: hotbed_load(artifact: 'object', opt"),
    ],
)
def test_whoever_fails_is_recorded_with_one_reason(dist: str, error: str) -> None:
    """The error is kept as one line of text, with the version and a fix, and nothing is used."""
    broken = found(dist)
    assert (broken.name, broken.version) == (BACKENDS[dist], "1.0")
    assert broken.error.startswith(error)
    assert "\n" not in broken.error
    assert broken.fix == KEEP_OUT.format(dist, broken.name)
    assert not broken.usable


def test_the_thief_is_recorded_and_not_imported() -> None:
    """The stolen name stays hotbed's, the thief is not imported, and the reason is kept."""
    thief = found("hotbed-thief")
    assert thief.name == "onnx_cpu"
    assert "belongs to the distribution 'hotbed'" in thief.conflict
    assert thief.fix == "pip uninstall hotbed-thief"
    assert not thief.usable
    assert "hotbed_thief" not in sys.modules
    assert Catalog().get("onnx_cpu").first_party


def test_the_command_shows_each_with_state_reason_and_fix() -> None:
    """``hotbed backends`` succeeds, and nobody is left out or told twice."""
    shown = rows()
    states = {dist: row["state"] for dist, row in shown.items()}
    assert states == {
        "hotbed": "works",
        "hotbed-asserts": "broken",
        "hotbed-exits": "broken",
        "hotbed-future": "other hook API",
        "hotbed-misfits": "broken",
        "hotbed-miswraps": "broken",
        "hotbed-raises": "broken",
        "hotbed-thief": "name conflict",
    }
    for dist in DISTS:
        assert shown[dist]["reason"], dist
        assert shown[dist]["fix"], dist
        assert Path(shown[dist]["file"]).name == f"{dist.replace('-', '_')}.py"
    assert shown["hotbed-future"]["fix"] == "pip install -U hotbed"
    text = command("backends").stdout
    assert all(f"from     {dist} 1.0" in text for dist in DISTS)
    assert "8 backends: 1 works" in text


def test_doctor_tells_of_each_in_both_ways() -> None:
    """Here and in processes of their own, the same plugins need mending."""
    reports = [
        json.loads(command("doctor", "--json", *more).stdout) for more in ([], ["--isolated"])
    ]
    for report in reports:
        told = [re.search(r"\((hotbed-\w+)\)", problem) for problem in report["problems"]]
        assert sorted(match[1] for match in told if match) == sorted(DISTS)
    assert reports[0]["problems"] == reports[1]["problems"]


@pytest.mark.filterwarnings(MISWRAPS)
def test_a_model_loads_with_hotbeds_own_backend(tiny: Path) -> None:
    """Beside them all, ``hotbed.load`` works, and it is the first-party onnx_cpu that serves."""
    with hotbed.load(tiny) as model:
        assert model.encode("the cat").shape == (32,)
        assert model.decision.chosen is not None
        assert (model.decision.chosen.backend, model.decision.chosen.dist) == ("onnx_cpu", "hotbed")
        why = model.why()
    for stage in ("name conflict: the name", "load: ImportError: libraises.so.3", "load: Asser"):
        assert stage in why
    assert "hook API: written for 99, this hotbed speaks 1   fix: pip install -U hotbed" in why
    assert default_house().backends.get("onnx_cpu").dist == "hotbed"


@pytest.mark.filterwarnings(MISWRAPS)
@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("raises", r"libraises\.so\.3"),
        ("asserts", "no accelerator of the type A1"),
        ("exits", "no licence file"),
        ("future", r"written for 99.*pip install -U hotbed"),
        ("misfits", r"does not fit hotbed's hooks.*'option'"),
    ],
)
def test_naming_a_broken_one_is_an_error_with_its_reason(tiny: Path, name: str, why: str) -> None:
    """A named backend does not fall through to another, and the error says what is wrong."""
    with pytest.raises(NoBackendError, match=why):
        hotbed.load(tiny, backend=name)


def test_a_wrapper_that_misfits_is_recorded_and_told_at_a_load(tiny: Path) -> None:
    """The load goes on without it; a warning says so, with the reason and the way out."""
    (wrapper,) = Catalog(WRAPPERS).found()
    assert wrapper.error.startswith("it does not fit hotbed's hooks: hotbed_embed(texts: 'object')")
    with pytest.warns(HotbedWarning) as caught, hotbed.load(tiny) as model:
        assert model.encode("the cat").shape == (32,)
    told = {str(warning.message) for warning in caught}
    assert len(told) == 1
    assert "the plugin 'miswraps' (hotbed-miswraps 1.0) wraps no calls: " in min(told)
    assert min(told).endswith(KEEP_OUT.format("hotbed-miswraps", "miswraps"))


def test_a_blocked_wrapper_is_passed_over_in_silence(tiny: Path, tmp_path: Path) -> None:
    """The block-list covers wrappers, and a user who wrote it there is not warned again."""
    house = House(Settings(home=tmp_path / "home", blocked=["miswraps"]))
    assert house.wrappers.found()[0].blocked == "blocked by the settings (HOTBED_BLOCKED)"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        hotbed.load(tiny, house=house).close()


def test_blocking_the_broken_ones_mends_them() -> None:
    """The fix that is told works: they are not imported, and doctor no longer complains of them."""
    names = ",".join(["miswraps", *(name for name in BACKENDS.values() if name != "onnx_cpu")])
    report = json.loads(command("doctor", "--json", HOTBED_BLOCKED=names).stdout)
    states = {row["distribution"]: row["state"] for row in report["backends"]}
    assert {dist for dist, state in states.items() if state == "blocked"} == {
        "hotbed-asserts",
        "hotbed-exits",
        "hotbed-future",
        "hotbed-misfits",
        "hotbed-raises",
    }
    left = [re.search(r"\((hotbed-\w+)\)", problem) for problem in report["problems"]]
    assert sorted(match[1] for match in left if match) == ["hotbed-thief"]
