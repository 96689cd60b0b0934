"""The Python blocks of the pages on the registry and on deployments run, one after the other."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import hotbed
from hotbed.registry import Registry
from hotbed.testing import build_tiny
from tests.isolation import isolated

__all__ = ["isolated"]

ROOT = Path(__file__).parents[2]


@pytest.fixture
def names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    """What a reader has before the first block: a registry, and nothing imported."""
    monkeypatch.setenv("HOTBED_REGISTRY", str(tmp_path / "registry"))
    with Registry() as registry:
        model = build_tiny(tmp_path / "model")
        for name in ("support", "search", "faq"):
            registry.register(name, model)
            registry.promote(name, "production")
    hotbed.refresh()
    names: dict[str, Any] = {}
    yield names
    for value in names.values():
        for one in value.values() if isinstance(value, dict) else [value]:
            if callable(getattr(one, "close", None)) and not isinstance(one, type):
                one.close()


@pytest.mark.parametrize("page", ["deployments.md", "registry.md"])
def test_the_blocks_run(names: dict[str, Any], page: str) -> None:
    """As written, with the names that the blocks before them made, and no others."""
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    blocks = re.findall(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    assert blocks
    for block in blocks:
        exec(compile(block, page, "exec"), names)
