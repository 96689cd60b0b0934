"""The arithmetic that runs is the one that was asked for, or an error says why not.

OpenVINO's own answers are replaced where this machine cannot give them; nothing of hotbed is.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import openvino
import pytest

import hotbed
from hotbed.backends import Recipe
from hotbed.errors import DeviceError, NoBackendError
from hotbed.testing import TEXTS

pytestmark = pytest.mark.filterwarnings("ignore::hotbed.HotbedWarning")  # cut texts


def test_a_processor_without_bfloat16(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """bfloat16 in software would be slower than float32: refused, with what there is."""
    true = openvino.Core.get_property

    def older(core: Any, device: str, name: str) -> Any:
        able = true(core, device, name)
        return ["FP32", "INT8"] if name == "OPTIMIZATION_CAPABILITIES" else able

    monkeypatch.setattr(openvino.Core, "get_property", older)
    with pytest.raises(NoBackendError, match="which has no bfloat16; it has FP32, INT8"):
        hotbed.load(tiny, dtype="bf16")


def test_a_runtime_that_widens_by_itself(
    tiny: Path, monkeypatch: pytest.MonkeyPatch, require: Callable[[str], None]
) -> None:
    """Where OpenVINO says after compiling that it runs float32, a bfloat16 model is not given."""
    require("bfloat16")
    true = openvino.CompiledModel.get_property

    def widened(model: Any, name: str) -> Any:
        return openvino.Type.f32 if name == "INFERENCE_PRECISION_HINT" else true(model, name)

    monkeypatch.setattr(openvino.CompiledModel, "get_property", widened)
    with pytest.raises(DeviceError, match="bf16 on CPU was asked of OpenVINO, and it would run f3"):
        hotbed.load(tiny, dtype="bf16")


def test_bfloat16_is_not_float32_in_disguise(tiny: Path, require: Callable[[str], None]) -> None:
    """Vectors in bfloat16 are near those in float32, and are not the same numbers."""
    require("bfloat16")
    with (
        hotbed.load(tiny, backend="openvino", dtype="float32") as wide,
        hotbed.load(tiny, backend="openvino", dtype="bfloat16") as narrow,
    ):
        a, b = wide.encode(list(TEXTS)), narrow.encode(list(TEXTS))
    assert 1e-5 < np.abs(a - b).max() < 5e-2


@pytest.mark.parametrize("recipe", ["static_int8", "int8_weights"])
def test_integers_do_not_depend_on_the_batch(
    tiny: Path, place: Path, quantise: Callable[..., Path], recipe: str
) -> None:
    """Ranges are fixed, or taken token by token, so neighbours and padding change nothing."""
    texts = [text for text in TEXTS if text]
    folder = quantise(tiny, place / "made", Recipe(name=recipe), texts)
    with hotbed.load(folder, dtype="int8") as model:
        assert not model.loaded.batch_dependent
        together = model.encode(texts)
        alone = np.stack([model.encode(text) for text in texts])
    np.testing.assert_allclose(together, alone, atol=2e-3)


def test_the_facts_tell_the_floats_beside_the_integers(
    tiny: Path, place: Path, quantise: Callable[..., Path]
) -> None:
    """Asked for int8, what stays float runs in the narrowest float of the hardware, and says so."""
    texts = [text for text in TEXTS if text]
    folder = quantise(tiny, place / "made", Recipe(name="static_int8"), texts)
    able = openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    with hotbed.load(folder, dtype="int8") as model:
        facts = dict(model.loaded.facts)
    assert facts["floats"] == ("bf16" if "BF16" in able else "f32")
