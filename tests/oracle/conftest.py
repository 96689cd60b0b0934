"""Loaders of both sides. Without PyTorch and sentence-transformers, all of this folder is skipped.

Neither is imported at module level, so that collecting these tests needs neither.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import hotbed
from hotbed import Embedder
from hotbed.loading import House
from hotbed.settings import Settings
from hotbed.testing import build_tiny
from tests.oracle.ledger import LEDGER
from tests.oracle.pair import Pair


def pytest_addoption(parser: pytest.Parser) -> None:
    """Where what was measured is written."""
    parser.addoption("--families-report", type=Path, help="JSON for tools/families_table.py")


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Write it."""
    if path := session.config.getoption("--families-report"):
        LEDGER.write(path)


@pytest.fixture(scope="session")
def required() -> frozenset[str]:
    """What must be there, by ``HOTBED_REQUIRE``: its absence fails instead of skipping."""
    return frozenset(os.environ.get("HOTBED_REQUIRE", "").split(","))


@pytest.fixture(scope="session", autouse=True)
def torch(required: frozenset[str]) -> Any:
    """PyTorch, beside a sentence-transformers that can be imported and stays quiet."""
    try:
        module = importlib.import_module("torch")
        importlib.import_module("sentence_transformers")
        logs = importlib.import_module("transformers.utils.logging")
    except ImportError as error:
        if "torch" in required:
            pytest.fail(f"HOTBED_REQUIRE names torch: {error}")
        pytest.skip(f"the oracle is not installed: {error}")
    logs.set_verbosity_error()
    logs.disable_progress_bar()
    module.manual_seed(0)
    module.set_num_threads(1)  # two layers of 32 units only lose time to more
    return module


@pytest.fixture(scope="session")
def st(torch: Any) -> Callable[..., Any]:
    """Open a folder with sentence-transformers, in float32 as hotbed computes."""
    package = importlib.import_module("sentence_transformers")

    def load(folder: Path, **options: Any) -> Any:
        options = {"model_kwargs": {"dtype": torch.float32}, **options}
        return package.SentenceTransformer(
            str(folder), device="cpu", local_files_only=True, **options
        )

    return load


@pytest.fixture(scope="session")
def house(tmp_path_factory: pytest.TempPathFactory) -> House:
    """Settings of hotbed that nobody's files change, and a cache of their own."""
    return House(Settings(home=tmp_path_factory.mktemp("home")))


@pytest.fixture(scope="session")
def hb(house: House) -> Callable[..., Embedder]:
    """Open a folder with hotbed."""

    def load(folder: Path, **options: Any) -> Embedder:
        return hotbed.load(folder, house=house, **options)

    return load


@pytest.fixture(scope="session")
def pair(st: Callable[..., Any], hb: Callable[..., Embedder]) -> Callable[..., Pair]:
    """Open a folder with both; options go to both."""

    def load(folder: Path, **options: Any) -> Pair:
        return Pair(st=st(folder, **options), hotbed=hb(folder, **options))

    return load


@pytest.fixture
def both(tmp_path: Path, pair: Callable[..., Pair]) -> Callable[..., Pair]:
    """Build a tiny model, with the arguments of ``build_tiny``, and open it with both."""

    def build(**options: Any) -> Pair:
        return pair(build_tiny(tmp_path / "tiny", **options))

    return build


@pytest.fixture(scope="session")
def plain(tmp_path_factory: pytest.TempPathFactory, pair: Callable[..., Pair]) -> Pair:
    """One tiny model for tests that do not ask for a special one: mean, then Normalize."""
    return pair(build_tiny(tmp_path_factory.mktemp("plain") / "tiny"))
