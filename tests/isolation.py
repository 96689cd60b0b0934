"""Keep a test away from the user's own settings, caches and models."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

import hotbed

__all__ = ["child_environment", "isolated"]

_OURS = ("HOTBED_", "HF_", "SENTENCE_TRANSFORMERS_HOME", "HUGGINGFACE_HUB_CACHE", "XDG_")
_KEPT = frozenset({"HOTBED_REQUIRE"})


@pytest.fixture(autouse=True)
def isolated(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Path]:
    """Point all that hotbed reads outside a call into a folder of the test's own; give that."""
    place = tmp_path_factory.mktemp("isolated")
    for name in [n for n in os.environ if n.startswith(_OURS) and n not in _KEPT]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOTBED_HOME", str(place / "home"))
    monkeypatch.setenv("HF_HOME", str(place / "hf"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(place / "config"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(place / "cache"))
    work = place / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    hotbed.refresh()
    yield place
    hotbed.refresh()


def child_environment(**changes: str) -> dict[str, str]:
    """The present environment with changes, for a child process that nothing may reach."""
    return {**os.environ, "NO_PROXY": "*", "no_proxy": "*", "PYTHONWARNINGS": "default", **changes}
