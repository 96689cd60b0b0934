"""A broken plugin is recorded, and never takes the host down."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from hotbed.backends.catalog import BACKENDS, Catalog, Found
from tests.distributions import install

GOOD = (
    "from hotbed.backends import Manifest\n"
    "HOTBED = Manifest(name='good', hook_api=1, capabilities=())\n"
)


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder on ``sys.path`` with one good backend; its modules are forgotten afterwards."""
    folder = tmp_path / "site"
    install(folder, "acme-good", {BACKENDS: {"acme_good": "acme_good"}}, {"acme_good": GOOD})
    monkeypatch.syspath_prepend(str(folder))
    yield folder
    for name in ("acme_good", "acme_bad"):
        sys.modules.pop(name, None)


def add_bad(site: Path, source: str | None, value: str = "acme_bad") -> None:
    """Install a backend with this source; None leaves the module out."""
    modules = {} if source is None else {"acme_bad": source}
    install(site, "acme-bad", {BACKENDS: {"acme_bad": value}}, modules)


def both() -> tuple[Found, Found]:
    """The bad backend and the good one."""
    found = {item.name: item for item in Catalog().found()}
    return found["acme_bad"], found["acme_good"]


@pytest.mark.parametrize(
    ("source", "error"),
    [
        ("raise ImportError('no libacme')", "ImportError: no libacme"),
        ("import acme_runtime_that_is_not_there", "ModuleNotFoundError: No module named"),
        ("assert False, 'wrong driver'", "AssertionError: wrong driver"),
        ("assert False", "AssertionError"),
        ("import sys; sys.exit(3)", "SystemExit: 3"),
        ("raise RuntimeError", "RuntimeError"),
        ("1 +", "SyntaxError: "),
        (None, "ModuleNotFoundError: No module named 'acme_bad'"),
    ],
)
def test_a_failure_at_import_is_recorded(site: Path, source: str | None, error: str) -> None:
    """Whatever a plugin raises at import is kept as text, and the others load."""
    add_bad(site, source)
    bad, good = both()
    assert bad.error.startswith(error)
    assert bad.plugin is None
    assert not bad.usable
    assert good.usable


def test_an_attribute_that_is_not_there_is_recorded(site: Path) -> None:
    """An entry point that names a missing object is a failure like any other."""
    add_bad(site, GOOD, value="acme_bad:BACKEND")
    bad, good = both()
    assert bad.error.startswith("AttributeError")
    assert good.usable


def test_ctrl_c_during_import_is_not_swallowed(site: Path) -> None:
    """KeyboardInterrupt is the user's, not the plugin's, and goes through."""
    add_bad(site, "raise KeyboardInterrupt")
    with pytest.raises(KeyboardInterrupt):
        Catalog().found()


def test_a_plugin_without_a_manifest_has_none(site: Path) -> None:
    """A module without ``HOTBED``, or with something else under that name, has no manifest."""
    add_bad(site, "HOTBED = {'name': 'acme'}")
    bad, good = both()
    assert bad.manifest is None
    assert good.manifest is not None


def test_plugins_load_once(site: Path) -> None:
    """The scan happens at first need and is kept."""
    counter = "import pathlib\np = pathlib.Path(__file__ + '.count')\n"
    counter += "p.write_text(p.read_text() + 'x' if p.exists() else 'x')\n"
    add_bad(site, counter)
    catalog = Catalog()
    assert not (site / "acme_bad.py.count").exists()
    assert catalog.found() is catalog.found()
    assert (site / "acme_bad.py.count").read_text() == "x"
