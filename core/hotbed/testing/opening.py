"""Open the kit's models with the backend under test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest

from hotbed.backends.engine import Engine
from hotbed.backends.values import Loaded, LoadOptions
from hotbed.inference.embedder import Embedder
from hotbed.loading import House, load
from hotbed.testing.base import Suite
from hotbed.testing.cases import Case
from hotbed.testing.supply import model_for

__all__ = ["OpeningSuite"]


class OpeningSuite(Suite):
    """Fixtures of the tests that open models."""

    action: ClassVar[str] = "embed"

    @pytest.fixture
    def base(self, tmp_path_factory: pytest.TempPathFactory) -> Path:
        """A folder for the whole run."""
        return tmp_path_factory.getbasetemp()

    @pytest.fixture
    def runnable(self, case: Case, engine: Engine) -> Case:
        """The case, where the backend's probe says that it can run here."""
        self.require(engine, case)
        return case

    @pytest.fixture
    def folder(self, runnable: Case, base: Path) -> Path:
        """A model folder that the case can run: mean pooling, then Normalize."""
        return model_for(runnable, "mean", base)

    @pytest.fixture
    def model(self, runnable: Case, folder: Path) -> Iterator[Embedder]:
        """The folder, opened by the backend under test."""
        with self.open(runnable, folder) as embedder:
            yield embedder

    @pytest.fixture
    def loaded(self, model: Embedder) -> Loaded:
        """What ``hotbed_load`` gave."""
        return model.loaded

    @staticmethod
    def open(case: Case, folder: Path, **options: Any) -> Embedder:
        """Open a folder with this backend, device and arithmetic, and no other."""
        return load(folder, backend=case.backend, device=case.device, dtype=case.dtype, **options)

    @staticmethod
    def load_options(case: Case) -> LoadOptions:
        """How the case opens an artifact."""
        return LoadOptions(device=case.device, dtype=case.dtype)

    @staticmethod
    def artifact(house: House, model: Embedder) -> Any:
        """The artifact that an embedder was opened from."""
        chosen = model.decision.chosen
        assert chosen is not None
        assert chosen.route is not None
        located = house.locate(str(model.folder.path))
        return house.artifact(chosen.route, located, model.folder)
