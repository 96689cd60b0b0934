"""The allow-list and the block-list."""

from __future__ import annotations

import importlib.metadata
import sys
from pathlib import Path

import pytest

from hotbed.backends.catalog import BACKENDS, Catalog
from hotbed.errors import UsageError
from tests.distributions import install

MODULE = (
    "from hotbed.backends import Manifest\n"
    "HOTBED = Manifest(name='{0}', hook_api=1, capabilities=())\n"
)


@pytest.fixture(autouse=True)
def plugins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two foreign backends beside hotbed's own."""
    for name in ("acme_listed", "acme_other"):
        install(tmp_path / "site", name, {BACKENDS: {name: name}}, {name: MODULE.format(name)})
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.syspath_prepend(str(tmp_path / "site"))


def usable(catalog: Catalog) -> set[str]:
    """Names that may be used."""
    return {found.name for found in catalog.found() if found.usable}


def test_no_list_allows_everything() -> None:
    """Without an allow-list every installed backend may be used."""
    assert usable(Catalog()) >= {"acme_listed", "acme_other", "onnx_cpu"}


def test_only_listed_backends_may_be_used() -> None:
    """An allow-list keeps the others out, hotbed's own too, and never imports them."""
    catalog = Catalog(allow=["acme_listed"])
    assert usable(catalog) == {"acme_listed"}
    assert "acme_other" not in sys.modules
    reasons = {found.name: found.blocked for found in catalog.found()}
    assert "HOTBED_BACKENDS" in reasons["acme_other"]


def test_an_empty_list_means_first_party_only() -> None:
    """``HOTBED_BACKENDS=""`` leaves hotbed's own backends and no others."""
    catalog = Catalog(allow=[])
    assert {found.dist for found in catalog.found() if found.usable} == {"hotbed"}
    assert "onnx_cpu" in usable(catalog)


def test_a_blocked_backend_is_shown_and_not_imported() -> None:
    """A block-list wins over everything, and the backend stays visible with the reason."""
    catalog = Catalog(allow=["acme_listed", "acme_other"], blocked=["acme_other"])
    assert usable(catalog) == {"acme_listed"}
    assert "acme_other" not in sys.modules
    with pytest.raises(UsageError, match="blocked by the settings"):
        catalog.get("acme_other")


@pytest.mark.parametrize("lists", [{"allow": ["acme_lsited"]}, {"blocked": ["acme_lsited"]}])
def test_an_unknown_name_in_a_list_is_an_error(lists: dict[str, list[str]]) -> None:
    """A misspelt name is an error that lists what is installed, not a silent nothing."""
    with pytest.raises(UsageError, match=r"'acme_lsited'.*installed: acme_listed, acme_other"):
        Catalog(**lists).found()  # type: ignore[arg-type]


def test_an_empty_group_is_empty() -> None:
    """With nothing installed the catalog is empty, and says so."""

    def nothing(group: str) -> list[importlib.metadata.EntryPoint]:
        return []

    catalog = Catalog(read=nothing)
    assert catalog.found() == ()
    with pytest.raises(UsageError, match="installed: none"):
        catalog.get("onnx_cpu")
