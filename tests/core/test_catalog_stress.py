"""Plugins that break the catalog in unusual ways, or try to: all recorded, none stops the host."""

from __future__ import annotations

import re
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hotbed.backends import ProbeRequest
from hotbed.backends.catalog import BACKENDS, SOURCES, WRAPPERS, Catalog, Found
from hotbed.backends.decision import Model, Request, Rules, Stage
from hotbed.backends.selection import select
from hotbed.backends.values import Variant
from hotbed.errors import HotbedWarning, UsageError
from hotbed.loading import House
from hotbed.settings import Settings
from tests.distributions import install

MANIFEST = """
from hotbed.backends import Capability, Manifest, hookimpl
HOTBED = Manifest(
    name="acme_odd",
    hook_api=1,
    capabilities=[Capability(action="embed", formats="onnx", **{changes})],
)
"""
GOOD = MANIFEST.format(changes={})
WRAPPER = """
from hotbed.backends import hookimpl

@hookimpl(wrapper=True)
def hotbed_embed({arguments}):
    return (yield)
"""


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder on ``sys.path``; its modules are forgotten afterwards."""
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    yield tmp_path / "site"
    for name in [name for name in sys.modules if name.startswith("acme_")]:
        del sys.modules[name]


def odd(site: Path, source: str, value: str = "acme_odd", group: str = BACKENDS) -> Found:
    """Install a plugin with this source; what the catalog makes of it."""
    install(site, "acme-odd", {group: {"acme_odd": value}}, {"acme_odd": source})
    return next(found for found in Catalog(group).found() if found.name == "acme_odd")


@pytest.mark.parametrize(
    ("source", "error"),
    [
        ("class PanicException(BaseException): ...\nraise PanicException('index 3')", "index 3"),
        ("raise BaseExceptionGroup('two', [SystemExit(1)])", "two"),
        ("raise GeneratorExit", "GeneratorExit"),
    ],
)
def test_what_is_no_exception_is_recorded_as_well(site: Path, source: str, error: str) -> None:
    """Rust extensions panic with a BaseException; that is a failed import like any other."""
    found = odd(site, source)
    assert error in found.error
    assert not found.usable


def test_a_module_that_fails_when_it_is_read_is_recorded(site: Path) -> None:
    """A module that imports its parts at first use may have no manifest to give."""
    found = odd(site, "def __getattr__(name): raise ImportError(f'no {name} without libacme')")
    assert found.error == "ImportError: no HOTBED without libacme"
    assert found.manifest is None


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"priority": "high"}, "HOTBED.capabilities.priority holds 'high', and int is expected"),
        ({"devices": ("cpu", 0)}, "HOTBED.capabilities.devices holds 0, and str is expected"),
        ({"task": None}, "HOTBED.capabilities.task holds None, and str is expected"),
    ],
)
def test_a_value_of_the_wrong_kind_is_recorded(site: Path, changes: Any, error: str) -> None:
    """A manifest that selection would stumble over is refused, with the field and the value."""
    assert odd(site, MANIFEST.format(changes=changes)).error == error


@pytest.mark.parametrize(
    ("given", "error"),
    [
        ("hook_api='1', capabilities=[]", "HOTBED.hook_api holds '1', and int is expected"),
        ("hook_api=1, capabilities=['embed']", "HOTBED.capabilities holds 'embed', and Capability"),
        ("hook_api=1, capabilities=[], formats=['a']", "HOTBED.formats holds 'a', and FileFormat"),
    ],
)
def test_a_manifest_of_the_wrong_kind_is_recorded(site: Path, given: str, error: str) -> None:
    """The same for the manifest's own fields."""
    source = f"from hotbed.backends import Manifest\nHOTBED = Manifest(name='acme_odd', {given})"
    assert odd(site, source).error.startswith(error)


@pytest.mark.parametrize("name", ["onnx", "safetensors"])
def test_a_format_of_hotbeds_own_cannot_be_brought(site: Path, name: str) -> None:
    """Who says where ONNX files lie would hand other files to every backend that reads ONNX."""
    source = GOOD.replace("import Capability", "import Capability, FileFormat").replace(
        "hook_api=1,", f"hook_api=1, formats=[FileFormat(name={name!r}, folder='x', suffix='.x')],"
    )
    assert odd(site, source).error.startswith(f"HOTBED.formats brings {name}, which hotbed reads")


def test_an_object_that_cannot_be_hashed_is_a_plugin_like_any_other(
    site: Path, tmp_path: Path
) -> None:
    """An entry point may name an object, and a plain dataclass has no hash."""
    source = GOOD + (
        "import dataclasses\n"
        "@dataclasses.dataclass\n"
        "class Backend:\n"
        "    HOTBED = HOTBED\n"
        "    @hookimpl\n"
        "    def hotbed_probe(self):\n"
        "        from hotbed.backends import Probe\n"
        "        return Probe(ok=True, reason='an object answers')\n"
        "BACKEND = Backend()\n"
    )
    found = odd(site, source, value="acme_odd:BACKEND")
    house = House(Settings(home=tmp_path))
    request = ProbeRequest(action="embed", device="cpu")
    assert house.probe(house.backends.get("acme_odd"), request).reason == "an object answers"
    assert found == house.backends.get("acme_odd")


def test_a_plugin_that_asks_for_plugins_while_it_is_imported_is_recorded(site: Path) -> None:
    """Loading a model at import would need the catalog that is being made; it must not hang."""
    source = "import hotbed.loading as l\nl.default_house().backends.found()\n" + GOOD
    install(site, "acme-odd", {BACKENDS: {"acme_odd": "acme_odd"}}, {"acme_odd": source})
    from hotbed.loading import default_house

    found = {item.name: item for item in default_house().backends.found()}
    assert "while it was being imported" in found["acme_odd"].error
    assert found["onnx_cpu"].usable


def test_a_probe_that_exits_is_an_answer(site: Path, tmp_path: Path) -> None:
    """``sys.exit()`` in a probe does not end the host."""
    odd(site, GOOD + "@hookimpl\ndef hotbed_probe():\n    raise SystemExit('no licence')\n")
    house = House(Settings(home=tmp_path))
    request = ProbeRequest(action="embed", device="cpu")
    answer = house.probe(house.backends.get("acme_odd"), request)
    assert (answer.ok, answer.reason) == (False, "probe failed: SystemExit: no licence")


def test_an_attribute_that_cannot_be_read_does_not_stop_selection(
    site: Path, tmp_path: Path
) -> None:
    """pluggy reads every attribute of a plugin; one that raises is a misfit with a verdict."""
    source = GOOD + (
        "class Backend:\n"
        "    HOTBED = HOTBED\n"
        "    def __dir__(self):\n"
        "        raise RuntimeError('no attributes without a device')\n"
        "BACKEND = Backend()\n"
    )
    odd(site, source, value="acme_odd:BACKEND")
    house = House(Settings(home=tmp_path))
    found = {item.name: item for item in house.backends.found()}
    assert "no attributes without a device" in found["acme_odd"].error
    assert found["onnx_cpu"].usable


def test_what_is_listed_was_not_imported(site: Path) -> None:
    """``listed()`` tells names, origins and what keeps a plugin out, and imports nothing."""
    install(site, "acme-odd", {BACKENDS: {"acme_odd": "acme_odd"}}, {"acme_odd": "1 +"})
    install(site, "acme-thief", {BACKENDS: {"onnx_cpu": "acme_odd"}}, version="3.1")
    listed = {item.dist: item for item in Catalog(blocked=["acme_odd"]).listed()}
    assert listed["acme-odd"].blocked == "blocked by the settings (HOTBED_BLOCKED)"
    assert "belongs to the distribution 'hotbed'" in listed["acme-thief"].conflict
    assert listed["acme-thief"].version == "3.1"
    assert listed["hotbed"].usable
    assert all(item.plugin is None for item in listed.values())
    assert "acme_odd" not in sys.modules


def test_what_failed_says_what_mends_it(site: Path) -> None:
    """A failed import names the update and the way to keep the plugin out; a thief goes."""
    assert odd(site, "raise ImportError('libacme')").fix == (
        "pip install -U acme-odd, or keep it out: HOTBED_BLOCKED=acme_odd"
    )
    install(site, "acme-thief", {BACKENDS: {"onnx_cpu": "acme_thief"}})
    install(site, "acme-rival", {BACKENDS: {"acme_odd": "acme_rival"}})
    fixes = {item.dist: item.fix for item in Catalog().found()}
    assert fixes["acme-thief"] == "pip uninstall acme-thief"
    assert fixes["acme-rival"] == "pip uninstall acme-rival, or acme-odd"
    assert fixes["hotbed"] == ""


def test_the_block_list_is_one_for_all_groups(site: Path) -> None:
    """A wrapper's name in the list is no mistake to the backends' catalog, and blocks it."""
    wrapper = odd(site, WRAPPER.format(arguments="loaded"), group=WRAPPERS)
    assert wrapper.usable
    names = ["acme_odd"]
    (blocked,) = Catalog(WRAPPERS, blocked=names).found()
    assert blocked.blocked == "blocked by the settings (HOTBED_BLOCKED)"
    for group in (BACKENDS, SOURCES):
        assert all(found.usable for found in Catalog(group, blocked=names).found())
    with pytest.raises(UsageError, match=r"'acme_ood'.*nothing of that name is installed"):
        Catalog(WRAPPERS, blocked=["acme_ood"]).found()


@pytest.mark.parametrize(
    ("hook", "why"),
    [
        ("def hotbed_laod(artifact): ...", "unknown hook 'hotbed_laod'"),
        ("def hotbed_load(artifact, option): ...", r"Argument\(s\) {'option'} are declared"),
    ],
)
def test_a_backend_whose_hooks_do_not_fit_is_recorded(site: Path, hook: str, why: str) -> None:
    """A misspelt hook or argument is told in one line, with what its author has to compare."""
    found = odd(site, f"{GOOD}\n@hookimpl\n{hook}")
    assert re.search(rf"^it does not fit hotbed's hooks: .*{why}.*Backend author: ", found.error)
    assert "\n" not in found.error


def test_hooks_of_another_api_are_left_to_selection(site: Path, tmp_path: Path) -> None:
    """A backend for a newer hotbed may have hooks that this one lacks: the reason is the API."""
    source = GOOD.replace("hook_api=1", "hook_api=2") + "@hookimpl\ndef hotbed_dream(): ...\n"
    found = odd(site, source)
    assert found.usable
    model = Model(name="m", family="bert", variants=(Variant(format="onnx", file="m.onnx"),))
    house = House(Settings(home=tmp_path))
    (verdict,) = select(Request(), model, [found], house.probe, Rules()).verdicts
    assert (verdict.stage, verdict.fix) == (Stage.HOOK_API, "pip install -U hotbed")


@pytest.mark.parametrize(
    ("source", "why"),
    [
        (WRAPPER.format(arguments="batches"), "does not fit hotbed's hooks.*batches"),
        (WRAPPER.format(arguments="loaded").replace("_embed", "_emebd"), "unknown hook"),
        (WRAPPER.format(arguments="").replace("(yield)", "1"), "generator"),
        (WRAPPER.format(arguments="").replace("wrapper=True", ""), "hotbed_embed would answer"),
        ("raise ImportError('no prometheus')", "ImportError: no prometheus"),
    ],
)
def test_a_wrapper_that_does_not_fit_is_recorded_and_told(
    site: Path, tmp_path: Path, source: str, why: str
) -> None:
    """Backends work without it, and a warning says who sees no calls, why, and the way out."""
    wrapper = odd(site, source, group=WRAPPERS)
    assert not wrapper.usable
    house = House(Settings(home=tmp_path))
    pattern = rf"(?s)'acme_odd' \(acme-odd 1\.0\) wraps no calls: .*{why}.*HOTBED_BLOCKED=acme_odd"
    with pytest.warns(HotbedWarning, match=pattern):
        assert house.engine("onnx_cpu").name == "onnx_cpu"


def test_a_blocked_wrapper_is_not_told_again(site: Path, tmp_path: Path) -> None:
    """Whoever blocks a broken wrapper knows that it sees nothing."""
    odd(site, WRAPPER.format(arguments="batches"), group=WRAPPERS)
    house = House(Settings(home=tmp_path, blocked=["acme_odd"]))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert house.engine("onnx_cpu").name == "onnx_cpu"
