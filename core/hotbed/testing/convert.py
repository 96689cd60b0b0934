"""The suite that a converting backend must pass."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
from numpy.typing import NDArray

from hotbed import reference
from hotbed.backends.decision import Request
from hotbed.backends.engine import Engine
from hotbed.backends.values import ConvertTarget
from hotbed.conversion import Converted, convert_into
from hotbed.errors import HotbedError
from hotbed.fidelity import compare_vectors, threshold
from hotbed.inference.tokenisation import Tokenizer
from hotbed.loading import House, load
from hotbed.models.digests import sha256
from hotbed.testing.base import Suite
from hotbed.testing.cases import Case
from hotbed.testing.gaps import Gap
from hotbed.testing.supply import KINDS, read
from hotbed.testing.tiny import TEXTS, build_tiny

__all__ = ["ConvertSuite"]


class ConvertSuite(Suite):
    """What is written can be run, gives the model's vectors, and nothing is half done."""

    action: ClassVar[str] = "convert"

    @pytest.fixture
    def plain(self, tmp_path: Path) -> Path:
        """A folder of safetensors."""
        return build_tiny(tmp_path / "plain", **KINDS["mean"])

    @pytest.fixture(autouse=True)
    def _source(self, case: Case) -> None:
        if "safetensors" not in case.capability.formats:
            read = ", ".join(case.capability.formats)
            raise Gap(f"the kit's models are safetensors, and it cannot write {read}")

    @staticmethod
    def convert(house: House, engine: Engine, case: Case, source: Path, out: Path) -> Converted:
        """Convert to the case's format and profile."""
        target = ConvertTarget(format=case.capability.to, profile=case.variety)
        return convert_into(engine, read(house, source), target, out, house.gate())

    @pytest.mark.parametrize("kind", KINDS)
    def test_a_round_trip_keeps_the_vectors(
        self, house: House, engine: Engine, case: Case, tmp_path: Path, kind: str
    ) -> None:
        """The folder written, run by an installed backend, gives the reference's vectors.

        Else compare token embeddings first, then pooling, then the modules after it.
        """
        self.require(engine, case)
        source = build_tiny(tmp_path / "source", **KINDS[kind])
        made = self.convert(house, engine, case, source, tmp_path / "out")
        found = _run(house, made, case)
        model = read(house, source)
        tokenizer = Tokenizer.open(model)
        batch = tokenizer.batch(tokenizer.encode(list(TEXTS)), np.arange(len(TEXTS)))
        wanted = reference.sentence_embedding(source, batch)
        shortfall = threshold("float32").shortfall(compare_vectors(wanted, found))
        assert not shortfall, shortfall

    def test_the_source_stays_as_it_was(
        self, house: House, engine: Engine, case: Case, plain: Path, tmp_path: Path
    ) -> None:
        """Converting changes no byte of the source. Else write into ``out`` only."""
        self.require(engine, case)
        before = _digests(plain)
        self.convert(house, engine, case, plain, tmp_path / "out")
        assert _digests(plain) == before

    def test_damaged_weights_are_refused(
        self, engine: Engine, case: Case, plain: Path, tmp_path: Path
    ) -> None:
        """Weights that are cut off make ``hotbed_convert`` raise.

        Called directly: core's gate would refuse such a file too, and hide what the hook does.
        Else let the error through, or raise a CorruptFileError that names the file.
        """
        self.require(engine, case)
        weights = plain / "model.safetensors"
        weights.write_bytes(weights.read_bytes()[: weights.stat().st_size // 2])
        _refused(engine, case, plain, tmp_path / "out")

    def test_an_unknown_architecture_is_refused(
        self, house: House, engine: Engine, case: Case, plain: Path, tmp_path: Path
    ) -> None:
        """A ``model_type`` that nobody knows is refused, by selection or by the hook."""
        self.require(engine, case)
        config = json.loads((plain / "config.json").read_text("utf-8"))
        (plain / "config.json").write_text(json.dumps({**config, "model_type": "abacus"}), "utf-8")
        request = Request(action="convert", backend=case.backend)
        if house.decide(request, read(house, plain)).chosen is None:
            return
        _refused(engine, case, plain, tmp_path / "out")


def _refused(engine: Engine, case: Case, source: Path, out: Path) -> None:
    """Call the hook itself: whatever it raises becomes a HotbedError."""
    out.mkdir()
    target = ConvertTarget(format=case.capability.to, profile=case.variety)
    with pytest.raises(HotbedError):
        engine.convert(source, target, out)


def _run(house: House, made: Converted, case: Case) -> NDArray[np.float32]:
    """Embed with the folder written: by the same backend if it can, else by any that can."""
    folder = read(house, made.path)
    for backend in (case.backend, None):
        request = Request(backend=backend, device="cpu")
        if house.decide(request, folder).chosen is not None:
            with load(made.path, backend=backend, device="cpu") as model:
                vectors: NDArray[np.float32] = model.encode(list(TEXTS))
                return vectors
    raise Gap(f"nothing installed runs {case.capability.to} of profile {case.variety}")


def _digests(folder: Path) -> Mapping[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): sha256(path) for path in files}
