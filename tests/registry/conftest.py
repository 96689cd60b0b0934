"""A registry of the test's own, and small models to put into it."""

from __future__ import annotations

from pathlib import Path

import pytest

from hotbed.registry import Registry
from hotbed.testing import build_tiny
from tests.isolation import isolated

__all__ = ["isolated"]


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A tiny model folder."""
    return build_tiny(tmp_path / "model")


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    """An empty registry."""
    return Registry(tmp_path / "registry", who="ada")
