"""``hotbed trust``, and what a stranger's ``hotbed.toml`` may not do."""

from __future__ import annotations

import json
from pathlib import Path

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
