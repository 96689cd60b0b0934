"""What the features of a recipe promise: layers that can be left out, texts that are needed."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from numpy.typing import NDArray

from hotbed.backends.engine import Engine
from hotbed.backends.values import Artifact, LoadOptions, Recipe
from hotbed.conversion import calibration, quantize_into
from hotbed.errors import HotbedError
from hotbed.fidelity import compare_vectors
from hotbed.inference.runner import SENTENCES, TOKENS
from hotbed.inference.tokenisation import Tokenizer
from hotbed.loading import House, load
from hotbed.testing.base import Suite
from hotbed.testing.cases import Case
from hotbed.testing.supply import KINDS, artifact_of, read
from hotbed.testing.tiny import TEXTS, bert_config, build_tiny
from hotbed.testing.tolerance import assert_close, unit

__all__ = ["CALIBRATION", "RecipeSuite"]

CALIBRATION = tuple(text for text in TEXTS if text)

_EXACT = 1e-3
"""Mean loss of a form in which nothing is rounded, for engines that compute in bfloat16."""

_STEADY = 2e-3
"""How far a number of a vector of length 1 may move with its neighbours, where ranges are fixed:
ranges of whole batches move it twice as far on the kit's model."""

Floats = NDArray[np.float32]


class RecipeSuite(Suite):
    """Layers, texts, and vectors that depend on what the result says they depend on."""

    action: ClassVar[str] = "quantize"

    @pytest.fixture
    def source(self, house: House, case: Case, tmp_path: Path) -> Artifact:
        """A float32 artifact in a format that the case reads."""
        plain = build_tiny(tmp_path / "plain", **KINDS["mean"])
        return artifact_of(house, case.capability.formats, plain, tmp_path)

    def test_layers_are_named(self, engine: Engine, case: Case, source: Artifact) -> None:
        """With the feature ``layers``, every linear layer of a BERT is named, with its shape.

        Else give them in ``hotbed_layers``, or leave the feature out.
        """
        self.require(engine, case)
        if "layers" not in case.capability.features:
            return
        config = bert_config()
        width, inner = config["hidden_size"], config["intermediate_size"]
        depth = config["num_hidden_layers"]
        linear = [layer for layer in engine.layers(source) if layer.kind == "linear"]
        assert len({layer.name for layer in linear}) == len(linear)
        shapes = [(layer.inputs, layer.outputs) for layer in linear]
        assert shapes.count((width, inner)) == depth
        assert shapes.count((inner, width)) == depth
        # Query, key and value may be one layer, three times as wide.
        products = sum(inputs * outputs for inputs, outputs in shapes)
        assert products == depth * (4 * width * width + 2 * width * inner)

    def test_layers_that_are_left_out_stay_float32(
        self, house: House, engine: Engine, case: Case, source: Artifact, tmp_path: Path
    ) -> None:
        """With all layers left out vectors come much nearer to float32 than with none.

        Else the option ``layers`` is not read.
        """
        self.require(engine, case)
        if "layers" not in case.capability.features:
            return
        out = {layer.name: "float32" for layer in engine.layers(source)}
        wanted = _vectors(house, engine, source, "float32")
        kept = self._made(house, engine, case, source, tmp_path / "kept", {"layers": out})
        rounded = self._made(house, engine, case, source, tmp_path / "rounded", {})
        lost = [1 - compare_vectors(wanted, found).mean for found in (kept, rounded)]
        assert lost[0] < _EXACT
        assert lost[0] * 2 < lost[1]

    def test_a_layer_that_is_not_there_is_refused(
        self, house: House, engine: Engine, case: Case, source: Artifact, tmp_path: Path
    ) -> None:
        """A plan for another model is an error. Else compare the option ``layers`` with them."""
        self.require(engine, case)
        if "layers" not in case.capability.features:
            return
        recipe = Recipe(name=case.variety, options={"layers": {"no such layer": "float32"}})
        batches = calibration(read(house, source.folder), CALIBRATION)
        with pytest.raises(HotbedError, match="no such layer"):
            engine.quantize(source, recipe, batches, _empty(tmp_path))

    def test_texts_that_are_needed_are_asked_for(
        self, engine: Engine, case: Case, source: Artifact, tmp_path: Path
    ) -> None:
        """With the feature ``texts``, none given is an error. Else the ranges are made up."""
        self.require(engine, case)
        if "texts" not in case.capability.features:
            return
        with pytest.raises(HotbedError):
            engine.quantize(source, Recipe(name=case.variety), (), _empty(tmp_path))

    def test_the_same_input_gives_the_same_vectors(
        self, house: House, engine: Engine, case: Case, source: Artifact, tmp_path: Path
    ) -> None:
        """Quantising twice gives one model. Else something random decides: give it a seed."""
        self.require(engine, case)
        first, second = (
            self._made(house, engine, case, source, tmp_path / name, {}) for name in ("a", "b")
        )
        assert_close("float32", first, second)

    def test_the_result_says_what_its_vectors_depend_on(
        self, house: House, engine: Engine, case: Case, source: Artifact, tmp_path: Path
    ) -> None:
        """Alone and beside others a text has one vector, unless ``Loaded.batch_dependent``.

        Else the ranges of activations come from whole batches: say so.
        """
        self.require(engine, case)
        made = quantize_into(
            engine,
            source,
            read(house, source.folder),
            Recipe(name=case.variety),
            CALIBRATION,
            tmp_path / "out",
            house.gate(accept_loss=True),
        )
        with load(made.path, backend=case.backend, dtype=case.dtype) as model:
            if model.loaded.batch_dependent:
                return
            texts = [*TEXTS, " ".join(["stone"] * 12)]
            alone = np.stack([model.encode(text) for text in texts])
            beside = model.encode(texts, batch_size=len(texts))
            np.testing.assert_allclose(unit(beside), unit(alone), rtol=0, atol=_STEADY)

    @staticmethod
    def _made(
        house: House,
        engine: Engine,
        case: Case,
        source: Artifact,
        out: Path,
        options: dict[str, Any],
    ) -> Floats:
        """Quantise, and embed the texts with the result."""
        recipe = Recipe(name=case.variety, options=options)
        batches = calibration(read(house, source.folder), CALIBRATION)
        (variant,) = engine.quantize(source, recipe, batches, _empty(out))
        made = Artifact(folder=source.folder, path=out / variant.file, variant=variant)
        return _vectors(house, engine, made, case.dtype)


def _empty(place: Path) -> Path:
    out = place / "out" if place.exists() else place
    out.mkdir()
    return out


def _vectors(house: House, engine: Engine, artifact: Artifact, dtype: str) -> Floats:
    tokenizer = Tokenizer.open(read(house, artifact.folder))
    batch = tokenizer.batch(tokenizer.encode(list(TEXTS)), np.arange(len(TEXTS)))
    loaded = engine.load(artifact, LoadOptions(dtype=dtype))
    try:
        name = SENTENCES if SENTENCES in loaded.outputs else TOKENS
        found = engine.embed(loaded, batch, (name,))[name].copy()
        return found if name == SENTENCES else found[batch.attention_mask != 0]
    finally:
        engine.close(loaded)
