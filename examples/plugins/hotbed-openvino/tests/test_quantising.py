"""NNCF behind the quantize hook: what it needs, what it says, and what it keeps to itself."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from hotbed.backends import Artifact, ProbeRequest, Recipe, Variant
from hotbed.backends.engine import Engine
from hotbed.errors import BackendError, UsageError
from hotbed.testing import TEXTS

CALIBRATION = [text for text in TEXTS if text]

SCRIPT = """
import sys
from pathlib import Path
from hotbed.backends import Artifact, Recipe, Variant
from hotbed_openvino import hotbed_quantize

folder, out = map(Path, sys.argv[1:])
source = Artifact(
    folder=folder,
    path=folder / "onnx/model.onnx",
    variant=Variant(format="onnx", file="onnx/model.onnx", storage="float32", profile="portable"),
)
out.mkdir()
written = hotbed_quantize(source, Recipe(name="int8_weights"), (), out)
from nncf.telemetry.wrapper import NNCFTelemetry, telemetry

assert not isinstance(telemetry, NNCFTelemetry)
assert "pytest" not in sys.modules
sys.stderr.write(written[0].file)
"""


def test_without_nncf_the_fix_is_told(
    tiny: Path,
    place: Path,
    engine: Engine,
    quantise: Callable[..., Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The probe says no with the command that mends it, and so does the work; nothing is left."""
    monkeypatch.setitem(sys.modules, "nncf", None)  # Python's own way to say: cannot be imported
    answer = engine.probe(ProbeRequest(action="quantize", device="cpu", dtype="int8"))
    assert (answer.ok, answer.fix) == (False, 'pip install "hotbed-openvino[nncf]"')
    with pytest.raises(BackendError, match=r'pip install "hotbed-openvino\[nncf\]"'):
        quantise(tiny, place / "made", Recipe(name="int8_weights"), CALIBRATION)
    assert not (place / "made" / "int8").exists()


def test_standard_output_stays_the_callers(
    tiny: Path, place: Path, quantise: Callable[..., Path], capfd: pytest.CaptureFixture[str]
) -> None:
    """Progress bars and notes go to standard error: what is printed may be somebody's data."""
    quantise(tiny, place / "made", Recipe(name="static_int8"), CALIBRATION)
    assert capfd.readouterr().out == ""


def test_nobody_is_told_of_it(onnx: Path, place: Path, quantise: Callable[..., Path]) -> None:
    """NNCF's report of its use to its makers is off, where its own rules would send it."""
    script = place / "script.py"
    script.write_text(SCRIPT)
    # Under CI, and beside pytest, NNCF is silent of its own accord; a child without either is not.
    kept = {name: value for name, value in os.environ.items() if name not in ("CI", "NNCF_CI")}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", str(script), str(onnx), str(place / "out")],
        capture_output=True,
        text=True,
        env={**kept, "HOME": str(place)},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    assert (place / "out" / "openvino_model_qint8_weights.xml").is_file()


def test_a_stem_is_kept(tiny: Path, place: Path, quantise: Callable[..., Path]) -> None:
    """A recipe's stem names the pair of files."""
    recipe = Recipe(name="int8_weights", stem="openvino_model_mine")
    folder = quantise(tiny, place / "made", recipe, CALIBRATION)
    names = sorted(path.name for path in (folder / "openvino").iterdir())
    assert names == ["openvino_model_mine.bin", "openvino_model_mine.xml"]


def test_layers_are_named_and_left_out(
    tiny: Path, onnx: Path, place: Path, engine: Engine, quantise: Callable[..., Path]
) -> None:
    """The search sees the linear layers, and a layer left out stays floats."""
    import openvino

    file = "onnx/model.onnx"
    variant = Variant(format="onnx", file=file, storage="float32", profile="portable")
    source = Artifact(folder=onnx, path=onnx / file, variant=variant)
    layers = engine.layers(source)
    shapes = {layer.name: (layer.inputs, layer.outputs) for layer in layers}
    assert len(shapes) == 8
    assert shapes["encoder.layer.0.attention.qkv"] == (32, 96)
    assert shapes["encoder.layer.1.output.dense"] == (48, 32)

    def rounded(plan: dict[str, str], name: str) -> int:
        recipe = Recipe(name="static_int8", options={"layers": plan})
        path = quantise(tiny, place / name, recipe, CALIBRATION)
        model = openvino.Core().read_model(next(path.rglob("*.xml")))
        return sum(node.get_type_name() == "FakeQuantize" for node in model.get_ops())

    some = {layer.name: "float32" for layer in layers[:3]}
    every = {layer.name: "static_int8" for layer in layers}
    assert rounded(every | some, "some") < rounded(every, "every")
    with pytest.raises(UsageError, match="has no layer nobody"):
        rounded({"nobody": "float32"}, "wrong")
    with pytest.raises(UsageError, match="options it takes: layers"):
        rounded({layers[0].name: "weights_4bit"}, "wrong too")
