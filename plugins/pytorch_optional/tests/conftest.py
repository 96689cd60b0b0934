"""Both sides opened on the same folder. Without PyTorch all of this is skipped, with the reason."""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from attrs import frozen

import hotbed
from hotbed.loading import House
from hotbed.settings import Settings
from hotbed.testing import TEXTS


@pytest.fixture(scope="session", autouse=True)
def torch() -> Iterator[Any]:
    """PyTorch on one thread, beside a sentence-transformers that can be imported."""
    try:
        module = importlib.import_module("torch")
        importlib.import_module("sentence_transformers")
        logs = importlib.import_module("transformers.utils.logging")
    except ImportError as error:
        if "torch" in os.environ.get("HOTBED_REQUIRE", "").split(","):
            pytest.fail(f"HOTBED_REQUIRE names torch: {error}")
        pytest.skip(f"PyTorch is not installed: {error}")
    logs.set_verbosity_error()
    logs.disable_progress_bar()
    before = module.get_num_threads()
    module.set_num_threads(1)  # two layers of 32 units only lose time to more
    yield module
    module.set_num_threads(before)


@pytest.fixture(scope="session")
def house(tmp_path_factory: pytest.TempPathFactory) -> House:
    """Settings that nobody's files change, and a cache of their own."""
    return House(Settings(home=tmp_path_factory.mktemp("home")))


@frozen(kw_only=True)
class Pair:
    """One folder in sentence-transformers and in hotbed's PyTorch backend."""

    oracle: Any
    hotbed: hotbed.Embedder

    def agree(self, method: str = "encode", **options: Any) -> None:
        """Check every number; both run the same kernels, in batches of other shapes."""
        expected = getattr(self.oracle, method)(list(TEXTS), **options)
        actual = getattr(self.hotbed, method)(list(TEXTS), **options)
        assert actual.dtype == np.float32
        np.testing.assert_allclose(actual, expected, rtol=1e-5, atol=1e-5)


@pytest.fixture
def pair(torch: Any, house: House) -> Iterator[Callable[[Path], Pair]]:
    """Open a folder with both."""
    package = importlib.import_module("sentence_transformers")
    opened: list[hotbed.Embedder] = []

    def load(folder: Path) -> Pair:
        mine = hotbed.load(folder, backend="pytorch", device="cpu", house=house)
        opened.append(mine)
        oracle = package.SentenceTransformer(
            str(folder),
            device="cpu",
            local_files_only=True,
            model_kwargs={"dtype": torch.float32},
        )
        return Pair(oracle=oracle, hotbed=mine)

    yield load
    for embedder in opened:
        embedder.close()
