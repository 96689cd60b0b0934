"""``hotbed trust``, and what a stranger's ``hotbed.toml`` may not do."""

from __future__ import annotations

import json
from pathlib import Path

from hotbed.testing import build_tiny
from tests.cli.conftest import Run


def test_trusting_and_revoking(hotbed: Run, tmp_path: Path) -> None:
    """Refused with exit 2 and the command to run; trusted, listed, revoked, refused again."""
    file = tmp_path / "hotbed.toml"
    file.write_text('registry = "postgresql://127.0.0.1:1/x"')
    config = {"XDG_CONFIG_HOME": str(tmp_path / "config")}
    refused = hotbed("backends", **config)
    assert refused.returncode == 2
    assert f"`hotbed trust {file}`" in refused.stderr
    done = hotbed("trust", **config)
    assert done.stdout == f"trusted {file}, which sets registry; a change to it ends that\n"
    assert hotbed("cache", "list", **config).returncode == 0
    listed = json.loads(hotbed("trust", "--list", "--json", **config).stdout)
    assert list(listed["files"]) == [str(file)]
    assert hotbed("trust", "--revoke", tmp_path, **config).returncode == 0
    assert hotbed("cache", "list", **config).returncode == 2
    assert hotbed("trust", "--revoke", tmp_path, **config).returncode == 2


def test_a_misspelt_home_exits_with_2(hotbed: Run, tmp_path: Path) -> None:
    """As the documentation says of what was asked for wrongly."""
    (tmp_path / "file").write_text("x")
    done = hotbed("embed", "hello", HOTBED_HOME=str(tmp_path / "file"))
    assert done.returncode == 2
    assert "HOTBED_HOME" in done.stderr


def test_a_home_that_cannot_be_made_exits_with_2(hotbed: Run, tmp_path: Path) -> None:
    """It is asked for wrongly as well, and found out when something is to be kept there."""
    model = build_tiny(tmp_path / "tiny")
    done = hotbed("embed", "--model", model, "hello", HOTBED_HOME="/proc/nowhere/home")
    assert done.returncode == 2
    assert "/proc/nowhere/home cannot be created" in done.stderr
    assert "HOTBED_HOME" in done.stderr


def test_pruning_removes_sources_of_both_places(hotbed: Run, home: Path, tmp_path: Path) -> None:
    """Earlier versions unpacked under the home; what is in the cache folder goes as well."""
    places = [home / "sources" / "pypi" / "a-1", tmp_path / "cache" / "sources" / "pypi" / "b-1"]
    for place in places:
        place.mkdir(parents=True)
        (place / "config.json").write_text("{}")
    env = {"HOTBED_CACHE": str(tmp_path / "cache")}
    listed = json.loads(hotbed("cache", "list", "--json", **env).stdout)
    assert {entry["path"] for entry in listed["sources"]} == set(map(str, places))
    assert "2 sources" in hotbed("cache", "prune", "--all", **env).stdout
    assert not any(place.exists() for place in places)
