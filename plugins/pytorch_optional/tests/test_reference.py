"""Whom the gate takes for right: PyTorch, or numpy; and who has no say in it."""

from __future__ import annotations

from pathlib import Path

import pytest

from hotbed.backends import ConvertTarget
from hotbed.conversion import convert_into, read_records
from hotbed.errors import FidelityError
from hotbed.loading import House
from hotbed.settings import Settings
from hotbed.testing import build_tiny
from hotbed.testing.tiny_families import build_family

JUDGE = '''
"""A backend that says it is a reference, and calls everything wrong."""
import numpy as np
from hotbed.backends import Capability, Loaded, Manifest, hookimpl

HOTBED = Manifest(name="judge", hook_api=1, capabilities=(
    Capability(action="embed", formats="safetensors", features="reference", priority=99),))

@hookimpl
def hotbed_load(artifact, options):
    return Loaded(handle=None, device="cpu", provider="judge", dtype="float32",
                  outputs=("sentence_embedding",), dimension=32)

@hookimpl
def hotbed_embed(loaded, batch, outputs):
    rows = len(batch.input_ids)
    return {"sentence_embedding": np.eye(rows, 32, dtype=np.float32) - 1}

@hookimpl
def hotbed_close(loaded):
    pass
'''


SPOILER = '''
"""A wrapper that doubles a bias of what was written."""
from hotbed.backends import hookimpl

@hookimpl(wrapper=True)
def hotbed_convert(folder, target, out):
    variants = yield
    import numpy as np
    import onnx
    path = out / variants[0].file
    model = onnx.load(path)
    for held in model.graph.initializer:
        value = onnx.numpy_helper.to_array(held)
        if value.dtype == np.float32 and value.shape == (48,):
            held.CopyFrom(onnx.numpy_helper.from_array(value * 2, held.name))
    onnx.save(model, path)
    return variants
'''


def install(place: Path, name: str, entry_points: dict[str, str], modules: dict[str, str]) -> None:
    """Leave a distribution in a folder as pip does."""
    info = place / f"{name.replace('-', '_')}-1.0.dist-info"
    info.mkdir(parents=True)
    for module, source in modules.items():
        (place / f"{module}.py").write_text(source, encoding="utf-8")
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n"
    (info / "METADATA").write_text(metadata, encoding="utf-8")
    lines = [f"[{group}]\n{line}\n" for group, line in entry_points.items()]
    (info / "entry_points.txt").write_text("".join(lines), encoding="utf-8")


def reference_of(house: House, folder: Path, out: Path, backend: str) -> str:
    """Convert, and give what the report says the result was compared with."""
    model = house.read(house.locate(str(folder)))
    convert_into(house.engine(backend), model, ConvertTarget(), out, house.gate())
    (made,) = read_records(out)
    return made.reports[0].reference


def test_pytorch_judges_the_builder(tmp_path: Path, house: House) -> None:
    """What the torch-free builder wrote is compared with PyTorch on the model's own weights."""
    said = reference_of(house, build_tiny(tmp_path / "m"), tmp_path / "out", "onnx_cpu")
    assert said.startswith("model.safetensors, pytorch ")
    assert said.endswith("float32 on cpu")


def test_pytorch_does_not_judge_itself(tmp_path: Path, house: House) -> None:
    """What PyTorch exported of a family that numpy knows is compared with numpy."""
    said = reference_of(house, build_tiny(tmp_path / "m"), tmp_path / "out", "pytorch")
    assert said == "numpy forward of bert, float64"


def test_numpy_stands_in(tmp_path: Path, house: House) -> None:
    """Where transformers cannot open the folder, the family's numpy forward is the reference."""
    folder = build_family(tmp_path / "m", "new")  # Alibaba's code, which transformers lacks
    said = reference_of(house, folder, tmp_path / "out", "onnx_cpu")
    assert said == "numpy forward of new, float64"


def test_a_wrong_graph_is_refused(
    tmp_path: Path, house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A graph that was changed after it was written is refused, and PyTorch is named."""
    place = tmp_path / "site"
    entry = {"hotbed.wrappers": "spoiler = acme_spoiler"}
    install(place, "acme-spoiler", entry, {"acme_spoiler": SPOILER})
    monkeypatch.syspath_prepend(place)
    spoilt = House(Settings(home=tmp_path / "home"))
    folder = build_tiny(tmp_path / "m")
    with pytest.raises(FidelityError, match=r"beside model\.safetensors, pytorch"):
        reference_of(spoilt, folder, tmp_path / "out", "onnx_cpu")
    assert not (tmp_path / "out").exists()


def test_a_plugin_does_not_become_the_judge(
    tmp_path: Path, house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Installed, somebody's reference has no say; named in the settings' priority, it has."""
    place = tmp_path / "site"
    entry = {"hotbed.backends": "judge = acme_judge"}
    install(place, "acme-judge", entry, {"acme_judge": JUDGE})
    monkeypatch.syspath_prepend(place)
    folder = build_tiny(tmp_path / "m")
    unnamed = House(Settings(home=tmp_path / "home"))
    assert "pytorch" in reference_of(unnamed, folder, tmp_path / "a", "onnx_cpu")
    named = House(Settings(home=tmp_path / "home", priority=("judge",)))
    with pytest.raises(FidelityError, match=r"beside model\.safetensors, judge"):
        reference_of(named, folder, tmp_path / "b", "onnx_cpu")
