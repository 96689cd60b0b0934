"""The suite that a quantising backend must pass."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hotbed import reference
from hotbed.backends.engine import Engine
from hotbed.backends.values import Artifact, Recipe
from hotbed.conversion import calibration, quantize_into
from hotbed.errors import HotbedError, UsageError
from hotbed.fidelity import compare_vectors, threshold
from hotbed.inference.tokenisation import Tokenizer
from hotbed.loading import House, load
from hotbed.models.digests import sha256
from hotbed.testing.cases import Case
from hotbed.testing.recipes import CALIBRATION, RecipeSuite
from hotbed.testing.supply import read
from hotbed.testing.tiny import TEXTS

__all__ = ["QuantizeSuite"]


class QuantizeSuite(RecipeSuite):
    """What is written can be asked for, is near enough, and nothing is half done."""

    def test_the_result_is_near_enough(
        self, house: House, engine: Engine, case: Case, source: Artifact, tmp_path: Path
    ) -> None:
        """Asked for by its dtype, the result is as near to float32 as the dtype's threshold says.

        Else calibrate on more texts, or leave the layers out that lose most.
        """
        self.require(engine, case)
        recipe = Recipe(name=case.variety)
        folder = read(house, source.folder)
        out = tmp_path / "out"
        made = quantize_into(engine, source, folder, recipe, CALIBRATION, out, house.gate())
        with load(made.path, backend=case.backend, dtype=case.dtype) as model:
            found = model.encode(list(TEXTS))
            assert model.decision.chosen is not None
            assert model.decision.chosen.route is not None
            written = {variant.file.rpartition("/")[2] for variant in made.variants}
            assert model.decision.chosen.route.variant.file.rpartition("/")[2] in written
        tokenizer = Tokenizer.open(folder)
        batch = tokenizer.batch(tokenizer.encode(list(TEXTS)), np.arange(len(TEXTS)))
        wanted = reference.sentence_embedding(tmp_path / "plain", batch)
        shortfall = threshold(case.dtype).shortfall(compare_vectors(wanted, found))
        assert not shortfall, shortfall

    def test_the_source_stays_as_it_was(
        self, house: House, engine: Engine, case: Case, source: Artifact, tmp_path: Path
    ) -> None:
        """Quantising changes no byte of the source. Else write into ``out`` only."""
        self.require(engine, case)
        before = sha256(source.path)
        folder = read(house, source.folder)
        recipe = Recipe(name=case.variety)
        quantize_into(engine, source, folder, recipe, CALIBRATION, tmp_path / "out", house.gate())
        assert sha256(source.path) == before

    def test_an_unknown_recipe_is_refused(
        self, house: House, engine: Engine, case: Case, source: Artifact, tmp_path: Path
    ) -> None:
        """A recipe that the capability does not list is an error that lists those it does."""
        folder = read(house, source.folder)
        recipe = Recipe(name="wishful")
        with pytest.raises(UsageError, match=case.variety):
            quantize_into(
                engine, source, folder, recipe, CALIBRATION, tmp_path / "out", house.gate()
            )

    def test_a_damaged_source_is_refused(
        self, house: House, engine: Engine, case: Case, source: Artifact, tmp_path: Path
    ) -> None:
        """A source that is cut off makes ``hotbed_quantize`` raise.

        Called directly: core, which runs the source beside the result, would refuse it too.
        Else let the error through, or raise a CorruptFileError that names the file.
        """
        self.require(engine, case)
        batches = calibration(read(house, source.folder), CALIBRATION)
        source.path.write_bytes(source.path.read_bytes()[:100])
        out = tmp_path / "out"
        out.mkdir()
        with pytest.raises(HotbedError):  # whatever the hook raises becomes one
            engine.quantize(source, Recipe(name=case.variety), batches, out)
