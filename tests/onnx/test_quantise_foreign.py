"""Quantised files that others made: read by their names, described, and run as they are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import hotbed
from hotbed.errors import NoBackendError
from hotbed.inference.tokenisation import Tokenizer
from hotbed.models import read_folder
from hotbed.models.layout import onnx_variants
from hotbed.testing import TEXTS, build_tiny
from tests.onnx.quantisable import artifact_of

NAMES = {
    "model_qint8_avx512_vnni.onnx": ("int8", "QInt8"),
    "model_qint8_arm64.onnx": ("int8", "QInt8"),
    "model_quint8_avx2.onnx": ("uint8", "QUInt8"),
    "model_quantized.onnx": ("q8", "QUInt8"),
}


def foreign(folder: Path, name: str, kind: str) -> Path:
    """A folder whose one runnable file onnxruntime's quantize_dynamic wrote."""
    from onnxruntime.quantization import QuantType, quantize_dynamic  # noqa: TID251 - the oracle

    source = artifact_of(build_tiny(folder), "portable").path
    (folder / "onnx").mkdir(exist_ok=True)
    made = folder / "onnx" / name
    quantize_dynamic(source, made, per_channel=kind == "QInt8", weight_type=QuantType[kind])
    source.unlink()
    (folder / "model.safetensors").unlink()
    return made


@pytest.mark.filterwarnings("ignore::hotbed.HotbedWarning")  # a CPU without VNNI is told so
@pytest.mark.parametrize("name", NAMES)
def test_vectors_are_those_of_onnxruntime(isolated: None, tmp_path: Path, name: str) -> None:
    """A foreign file is found by its name, and its vectors are onnxruntime's own, text by text."""
    import onnxruntime  # noqa: TID251 - the oracle

    storage, kind = NAMES[name]
    path = foreign(tmp_path / "m", name, kind)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    tokenizer = Tokenizer.open(read_folder(tmp_path / "m"))
    tokens = tokenizer.encode(list(TEXTS))
    with hotbed.load(tmp_path / "m", dtype=storage, batch_invariant=True) as model:
        assert model.loaded.batch_dependent
        found = model.encode(list(TEXTS))
    for place, vector in enumerate(found):
        batch = tokenizer.batch(tokens, np.array([place]))
        feeds = {item.name: getattr(batch, item.name) for item in session.get_inputs()}
        (wanted,) = session.run(["sentence_embedding"], feeds)
        np.testing.assert_allclose(vector, wanted[0], atol=1e-6)


@pytest.mark.parametrize("name", ["model_bnb4.onnx", "model_q4f16.onnx"])
def test_what_is_not_run_here_is_said(isolated: None, tmp_path: Path, name: str) -> None:
    """A file in an arithmetic that is not asked for is described, and passed over with a reason."""
    made = foreign(tmp_path / "m", name, "QInt8")
    (variant,) = onnx_variants([f"onnx/{made.name}"])
    assert variant.note
    with pytest.raises(NoBackendError, match="int8"):
        hotbed.load(tmp_path / "m", dtype="int8")


def test_a_name_that_nobody_knows(tmp_path: Path) -> None:
    """An unknown suffix is shown as such, and never run by itself."""
    (variant,) = onnx_variants(["onnx/model_q3k.onnx"])
    assert (variant.storage, variant.note) == ("unknown", "unknown suffix '_q3k'")
