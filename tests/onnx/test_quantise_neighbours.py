"""What a quantised text's vector depends on besides the text."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import hotbed
from hotbed.backends import LoadOptions, Recipe
from hotbed.backends.catalog import Catalog
from hotbed.backends.engine import Engine
from hotbed.testing.tiny_families import TINY, build_family
from hotbed_onnx.quantising.recipes import RECIPES, Way
from tests.onnx.quantisable import artifact_of, drawn_texts, family, vectors, written

MIXING = [way for way in RECIPES if way.mixes]
FAMILIES = sorted(set(TINY) - {"static", "model2vec"})


@pytest.fixture
def engine() -> Engine:
    """The backend behind its hooks."""
    return Engine(Catalog().get("onnx_cpu"))


@pytest.mark.parametrize("way", MIXING, ids=lambda way: way.recipe)
@pytest.mark.parametrize("name", FAMILIES)
def test_what_a_vector_depends_on_is_what_the_file_says(
    tmp_path: Path, engine: Engine, name: str, way: Way
) -> None:
    """Alone and beside other texts a vector is the same, unless the file says that it is not."""
    folder = build_family(tmp_path / "m", name, max_seq_length=40)
    source = artifact_of(folder, "cpu")
    made = written(engine, source, tmp_path / "out", Recipe(name=way.recipe))
    texts = ("bread", "the small cat sleeps under the large tree", "stone water " * 15)
    together = vectors(engine, made, texts)
    alone = np.concatenate([vectors(engine, made, (text,)) for text in texts])
    moved = float(np.abs(together - alone).max())
    loaded = engine.load(made, LoadOptions(dtype=way.dtype))
    assert loaded.batch_dependent == way.batch_dependent
    if way.batch_dependent:
        assert moved > 1e-4
    else:
        # Padding moves floats by 1e-7; a number on the edge of a step then takes the next one.
        assert moved < 1e-3


@pytest.mark.parametrize("dtype", ["float32", "int8", "w8", "q4", "q8"])
@pytest.mark.parametrize("name", ["bert", "xlm-roberta", "modernbert", "qwen3"])
def test_batch_invariant_vectors_are_equal_to_the_bit(
    isolated: None, tmp_path: Path, name: str, dtype: str
) -> None:
    """With ``batch_invariant`` a text has the vector that it has alone, in every form."""
    plain = family(tmp_path / "m", name)
    made = tmp_path / "out"
    wanted = None if dtype == "float32" else dtype
    hotbed.convert(plain, made, dtype=wanted, profile="cpu", accept_loss=True)
    texts = [*drawn_texts(60, seed=4), "", "bread"]
    with hotbed.load(made, dtype=dtype, batch_invariant=True, threads=2) as model:
        alone = np.stack([model.encode(text) for text in texts])
        np.testing.assert_array_equal(model.encode(texts), alone)
        np.testing.assert_array_equal(model.encode(texts[::-1], batch_size=3)[::-1], alone)
    with hotbed.load(made, dtype=dtype, threads=2) as model:
        beside = model.encode(texts)
    if dtype == "q8":  # without it ranges of whole batches move vectors
        assert np.abs(beside - alone).max() > 1e-4
