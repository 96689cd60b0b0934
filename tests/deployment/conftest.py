"""A registry with versions that differ in their weights, and a pool of the test's own."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hotbed.deployment import ModelPool
from hotbed.registry import Registry
from hotbed.testing import build_tiny
from tests.isolation import isolated

__all__ = ["isolated"]

Release = Callable[[int], str]


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[Registry]:
    """An empty registry."""
    with Registry(tmp_path / "registry", who="ada") as registry:
        yield registry


@pytest.fixture
def release(registry: Registry, tmp_path: Path) -> Release:
    """Register a tiny model with other weights for each seed; gives ``support@0.0.n``."""

    def make(seed: int) -> str:
        folder = build_tiny(tmp_path / f"model{seed}", seed=seed, max_seq_length=32)
        return str(registry.register("support", folder, reference=True))

    return make


@pytest.fixture
def pool() -> Iterator[ModelPool]:
    """A pool; at the end nothing is left in it."""
    pool = ModelPool()
    yield pool
    gc.collect()
    assert pool.loaded() == 0
