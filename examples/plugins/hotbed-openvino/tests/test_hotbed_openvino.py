"""OpenVINO behind hotbed: asked for, never slipped in; and near enough in every arithmetic.

What every backend promises is tested by the kit:
``pytest --pyargs hotbed.testing.suite --hotbed-backend openvino``.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import hotbed
from hotbed.backends import ProbeRequest, Recipe
from hotbed.errors import HotbedError, NoBackendError, UsageError
from hotbed.fidelity import compare_vectors
from hotbed.loading import default_house
from hotbed.testing import TEXTS

Require = Callable[[str], None]
Quantise = Callable[..., Path]

CALIBRATION = [
    f"{subject} {verb} {rest}"
    for subject in ("The council", "Her brother", "A small engine", "This recipe", "The patient")
    for verb in ("describes", "needs", "cannot find", "measured", "has lost", "will repair")
    for rest in (
        "a bridge over the river near the old mill, where two roads meet.",
        "nothing more than patience and a little salt.",
        "the report that was sent to the ministry in March, with all of its tables and notes.",
        "it.",
    )
]
UNSEEN = [
    "How do I bake bread without yeast?",
    "Knead flour and water, let the dough rest, and bake it for forty minutes.",
    "The train to Utrecht leaves from platform seven.",
    "Fleming noticed that a mould had killed the bacteria around it.",
    "Whales surface to breathe, and may stay below for an hour.",
    "I returned the shoes because the left one was too small.",
    "A search engine finds texts that mean the same in other words.",
    "Notice must be given in writing, three months before the end of a quarter.",
    "Interest rates rose for the third time this year.",
    "def add(a, b): return a + b",
    "The cat sleeps on the warm stones of the garden wall.",
    "Doctors recommend a short walk after each meal.",
]


def chosen(folder: str | Path, **options: Any) -> str:
    """Who runs the model."""
    with hotbed.load(folder, **options) as model:
        assert model.decision.chosen is not None
        return model.decision.chosen.backend


def test_installing_it_changes_nothing(tiny: Path) -> None:
    """Where nothing is asked for, hotbed's own backend runs, and the table says why."""
    with hotbed.load(tiny) as model:
        assert model.loaded.backend == "onnx_cpu"
        assert "passed over  openvino" in model.why()
        assert "it is not first-party" in model.why()


def test_it_is_had_by_name_and_by_settings(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """``backend=``, and the settings' priority."""
    assert chosen(tiny, backend="openvino") == "openvino"
    monkeypatch.setenv("HOTBED_PRIORITY", "openvino")
    hotbed.refresh()
    assert chosen(tiny) == "openvino"


def test_bfloat16_is_had_by_asking(tiny: Path, require: Require) -> None:
    """Nobody else computes in bfloat16 on a CPU, so the request alone chooses it."""
    require("bfloat16")
    with hotbed.load(tiny, dtype="bf16") as model:
        assert (model.loaded.backend, model.loaded.dtype) == ("openvino", "bfloat16")
        assert "bfloat16 on cpu" in model.why()


def test_a_device_that_is_absent_is_refused(tiny: Path) -> None:
    """A GPU that OpenVINO does not find is an error with its reason."""
    request = ProbeRequest(action="embed", device="gpu")
    if default_house().engine("openvino").probe(request).ok:
        pytest.skip("OpenVINO finds a GPU here")
    with pytest.raises(NoBackendError, match="finds CPU here, and no GPU"):
        hotbed.load(tiny, backend="openvino", device="gpu")


@pytest.mark.parametrize(("dtype", "lowest"), [("float32", 0.99999), ("bfloat16", 0.999)])
def test_minilm_keeps_its_vectors(minilm: str, dtype: str, lowest: float, require: Require) -> None:
    """Beside ONNX Runtime's float32, every text keeps its direction as the dtype asks."""
    require(dtype)
    texts = [*UNSEEN, *CALIBRATION[:40]]
    with (
        hotbed.load(minilm, backend="onnx_cpu") as right,
        hotbed.load(minilm, backend="openvino", dtype=dtype) as model,
    ):
        found = compare_vectors(right.encode(texts), model.encode(texts))
    assert found.lowest >= lowest


def test_eight_threads_and_long_lists(minilm: str) -> None:
    """Threads with texts of their own, and a list that runs on lanes, give the same vectors."""
    with hotbed.load(minilm, backend="openvino") as model:
        wanted = np.stack([model.encode(text) for text in UNSEEN])
        with ThreadPoolExecutor(8) as pool:
            alone = np.stack(list(pool.map(model.encode, UNSEEN)))
        np.testing.assert_allclose(alone, wanted, atol=1e-6)
        many = model.encode(UNSEEN * 40)
    np.testing.assert_allclose(many, np.tile(wanted, (40, 1)), atol=1e-5)


@pytest.mark.parametrize("recipe", ["static_int8", "int8_weights"])
def test_integers_keep_minilm_on_unseen_texts(
    minilm: str, recipe: str, place: Path, quantise: Quantise
) -> None:
    """Quantised on some texts, the mean cosine on others is at least 0.99; asked for by dtype."""
    folder = quantise(minilm, place, Recipe(name=recipe), CALIBRATION)
    assert (folder / "openvino").is_dir()
    with (
        hotbed.load(minilm, backend="onnx_cpu") as right,
        hotbed.load(folder, dtype="int8") as model,
    ):
        assert model.loaded.backend == "openvino"
        found = compare_vectors(right.encode(UNSEEN), model.encode(UNSEEN))
    assert found.mean >= 0.99


def test_quantising_needs_texts_and_no_options(tiny: Path, place: Path, quantise: Quantise) -> None:
    """Without calibration texts, or with an option that no recipe knows, the error says so."""
    with pytest.raises(UsageError, match="give some"):
        quantise(tiny, place / "a", Recipe(name="static_int8"), [])
    with pytest.raises(UsageError, match="options it takes"):
        quantise(tiny, place / "b", Recipe(name="static_int8", options={"bits": 3}), ["a cat"])
    assert not (place / "a" / "int8").exists()


def test_weights_that_are_not_what_the_name_says(
    tiny: Path, place: Path, quantise: Quantise
) -> None:
    """An integer file under the float32 name is refused: narrower arithmetic is asked for."""
    texts = [text for text in TEXTS if text]
    folder = quantise(tiny, place / "made", Recipe(name="int8_weights"), texts) / "openvino"
    for end in (".xml", ".bin"):
        (folder / f"openvino_model_qint8_weights{end}").rename(folder / f"openvino_model{end}")
    with pytest.raises(HotbedError, match="narrower arithmetic is used only where"):
        hotbed.load(folder.parent, backend="openvino")
