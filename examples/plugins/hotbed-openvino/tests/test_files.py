"""Files that others wrote for OpenVINO, and what they are taken for.

The oracle of the vectors is ONNX Runtime on the same model.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import openvino
import pytest

import hotbed
from hotbed.errors import MissingFileError, UnsupportedModelError
from hotbed.testing import TEXTS

pytestmark = pytest.mark.filterwarnings("ignore::hotbed.HotbedWarning")  # cut texts


@pytest.fixture
def model(onnx: Path) -> Any:
    """The tiny model's graph, as OpenVINO reads it."""
    return openvino.Core().read_model(onnx / "onnx" / "model.onnx")


@pytest.fixture
def right(onnx: Path) -> np.ndarray[Any, Any]:
    """The tiny model's vectors."""
    with hotbed.load(onnx, backend="onnx_cpu") as reference:
        return np.asarray(reference.encode(list(TEXTS)))


def saved(model: Any, onnx: Path, *, rounded: bool = False) -> Path:
    """Put a model into the folder as the only file that can be run."""
    (onnx / "openvino").mkdir()
    file = onnx / "openvino" / "openvino_model.xml"
    openvino.save_model(model, file, compress_to_fp16=rounded)
    shutil.rmtree(onnx / "onnx")
    return onnx


def test_a_folder_of_openvinos_own_files(
    model: Any, onnx: Path, right: np.ndarray[Any, Any]
) -> None:
    """A folder that holds nothing else is run without being asked: nobody else reads it."""
    with hotbed.load(saved(model, onnx)) as embedder:
        assert (embedder.loaded.backend, embedder.loaded.dtype) == ("openvino", "float32")
        np.testing.assert_allclose(embedder.encode(list(TEXTS)), right, atol=1e-5)


def test_a_graph_as_optimum_writes_it(model: Any, onnx: Path, right: np.ndarray[Any, Any]) -> None:
    """Token types are fed, 32-bit numbers are cast to, and hotbed pools what is not pooled."""
    pooled = next(r for r in model.get_results() if r.get_friendly_name().startswith("sentence"))
    model.remove_result(pooled)
    types = openvino.opset13.parameter([-1, -1], np.int32, name="token_type_ids")
    types.output(0).set_names({"token_type_ids"})
    model.add_parameters([types])
    with hotbed.load(saved(model, onnx)) as embedder:
        assert embedder.loaded.outputs == ("token_embeddings",)
        np.testing.assert_allclose(embedder.encode(list(TEXTS)), right, atol=1e-5)


def test_an_input_that_nobody_feeds(model: Any, onnx: Path) -> None:
    """A graph that wants more than a batch holds is refused, and the input is named."""
    pixels = openvino.opset13.parameter([-1, 3], np.float32, name="pixels")
    pixels.output(0).set_names({"pixels"})
    model.add_parameters([pixels])
    with pytest.raises(UnsupportedModelError, match="takes pixels; hotbed feeds input_ids"):
        hotbed.load(saved(model, onnx))


def test_outputs_that_are_no_embeddings(model: Any, onnx: Path) -> None:
    """A graph none of whose outputs is an embedding is refused, with what it gives."""
    for number, port in enumerate(model.outputs):
        port.get_tensor().set_names({f"logits_{number}"})
    with pytest.raises(UnsupportedModelError, match="gives logits_0"):
        hotbed.load(saved(model, onnx))


def test_weights_that_were_rounded(model: Any, onnx: Path) -> None:
    """A file under the float32 name that holds float16 is refused, as OpenVINO saves by itself."""
    with pytest.raises(UnsupportedModelError, match="named as float32 and holds f16"):
        hotbed.load(saved(model, onnx, rounded=True))


def test_integers_under_the_float_name_and_floats_under_the_integers(
    model: Any, onnx: Path
) -> None:
    """A float file under an integer name is refused as well: int8 was asked for."""
    folder = saved(model, onnx) / "openvino"
    for end in (".xml", ".bin"):
        (folder / f"openvino_model{end}").rename(folder / f"openvino_model_qint8_quantized{end}")
    with pytest.raises(UnsupportedModelError, match="named as int8 and holds f32"):
        hotbed.load(onnx, dtype="int8")


def test_weights_that_are_missing(model: Any, onnx: Path) -> None:
    """The absent half of the pair is named."""
    folder = saved(model, onnx)
    (folder / "openvino" / "openvino_model.bin").unlink()
    with pytest.raises(MissingFileError, match=r"openvino_model\.bin is missing"):
        hotbed.load(folder)
