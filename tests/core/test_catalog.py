"""What the catalog finds, over real distributions on ``sys.path``."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from hotbed.backends.catalog import BACKENDS, SOURCES, Catalog, Found, installed
from hotbed.errors import UsageError
from tests.distributions import install

GOOD = (
    "from hotbed.backends import Manifest\n"
    "HOTBED = Manifest(name='{0}', hook_api=1, capabilities=())\n"
)


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder on ``sys.path``, like site-packages; what it gave is forgotten afterwards."""
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.syspath_prepend(str(folder))
    before = set(sys.modules)
    yield folder
    for name in set(sys.modules) - before:
        if name.startswith("acme_"):
            del sys.modules[name]


def acme(site: Path, name: str = "one", dist: str = "", value: str = "", source: str = "") -> Path:
    """Install a distribution with one backend ``acme_<name>``."""
    value = value or f"acme_{name}"
    source = source or GOOD.format(f"acme_{name}")
    entry_points = {BACKENDS: {f"acme_{name}": value}}
    return install(site, dist or f"acme-{name}", entry_points, {value: source}, version="2.1")


def named(catalog: Catalog, name: str) -> list[Found]:
    """What the catalog found under a name."""
    return [found for found in catalog.found() if found.name == name]


def test_an_installed_backend_is_found_with_its_origin(site: Path) -> None:
    """A backend is found by its entry point, with distribution, version and manifest."""
    acme(site)
    (found,) = named(Catalog(), "acme_one")
    assert (found.dist, found.version, found.value) == ("acme-one", "2.1", "acme_one")
    assert found.usable
    assert not found.first_party
    assert found.manifest is not None


def test_first_party_backends_are_found_the_same_way() -> None:
    """hotbed's own backend and sources register through entry points, like anybody's."""
    (found,) = named(Catalog(), "onnx_cpu")
    assert found.usable
    assert found.first_party
    sources = {found.name for found in Catalog(SOURCES).found() if found.first_party}
    assert sources == {"path", "hf", "pypi", "registry"}


def test_the_list_is_sorted_whatever_the_path(site: Path, tmp_path: Path) -> None:
    """Entry points come sorted by name, not in the order of ``sys.path``."""
    for name in ("zeta", "beta", "alpha"):
        acme(site, name)
    names = [found.name for found in Catalog().found()]
    assert names == sorted(names)
    assert [ep.name for ep in installed(BACKENDS)] == names


def test_refresh_sees_a_distribution_installed_a_second_ago(site: Path) -> None:
    """``refresh()`` sees what was installed while the process runs, and forgets what went."""
    catalog = Catalog()
    assert not named(catalog, "acme_one")
    info = acme(site)
    assert not named(catalog, "acme_one")
    catalog.refresh()
    assert named(catalog, "acme_one")
    (info / "entry_points.txt").unlink()
    catalog.refresh()
    assert not named(catalog, "acme_one")


def test_twins_collapse(site: Path) -> None:
    """The same entry point twice, as stale metadata leaves it, is one plugin and no conflict."""
    acme(site)
    install(site, "acme-one", {BACKENDS: {"acme_one": "acme_one"}}, version="2.2")
    (found,) = named(Catalog(), "acme_one")
    assert found.usable


def test_two_distributions_with_one_name_are_a_conflict(site: Path) -> None:
    """Where two distributions register one name for different modules, neither is used."""
    acme(site, dist="acme-a", value="acme_a")
    acme(site, dist="acme-b", value="acme_b")
    first, second = named(Catalog(), "acme_one")
    assert not first.usable
    assert not second.usable
    assert "acme-b" in first.conflict
    assert "acme-a" in second.conflict
    assert "acme_a" not in sys.modules


def test_a_thief_of_a_first_party_name_is_refused(site: Path) -> None:
    """Who registers ``onnx_cpu`` as well is listed and refused; hotbed's own still works."""
    thief = {BACKENDS: {"onnx_cpu": "acme_thief"}}
    install(site, "aaa-thief", thief, {"acme_thief": GOOD.format("onnx_cpu")})
    found = {item.dist: item for item in named(Catalog(), "onnx_cpu")}
    assert found["hotbed"].usable
    assert not found["aaa-thief"].usable
    assert "belongs to the distribution 'hotbed'" in found["aaa-thief"].conflict
    assert "acme_thief" not in sys.modules
    assert Catalog().get("onnx_cpu").first_party


@pytest.mark.parametrize("dist", ["aaa-thief", "zzz-thief"])
def test_a_thief_of_the_very_same_module_changes_nothing(site: Path, dist: str) -> None:
    """Registering hotbed's own entry point again does not take it away from hotbed."""
    install(site, dist, {BACKENDS: {"onnx_cpu": "hotbed_onnx_cpu"}})
    assert Catalog().get("onnx_cpu").dist == "hotbed"


def test_metadata_without_a_name_does_no_harm(site: Path) -> None:
    """A half-removed distribution, whose metadata are gone, does not stop the others."""
    (acme(site) / "METADATA").unlink()
    install(site, "acme-two", {BACKENDS: {"acme_one": "acme_other"}}, {"acme_other": ""})
    assert Catalog().get("onnx_cpu").usable
    assert len(named(Catalog(), "acme_one")) == 2


def test_get_says_what_became_of_a_plugin(site: Path) -> None:
    """Asking for a plugin that is broken, or absent, says which and why."""
    acme(site, source="raise ImportError('libacme.so.3')")
    with pytest.raises(UsageError, match=r"cannot be used: ImportError: libacme\.so\.3"):
        Catalog().get("acme_one")
    with pytest.raises(UsageError, match=r"'acme_two' is not installed.*acme_one, onnx_cpu"):
        Catalog().get("acme_two")
