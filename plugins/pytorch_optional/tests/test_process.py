"""What the backend does to the process that it runs in: nothing that was not asked for."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import hotbed
from hotbed.backends import Artifact, LoadOptions, ProbeRequest, Variant
from hotbed.errors import ClosedError, DeviceError, UsageError
from hotbed.loading import House
from hotbed.testing import build_tiny

PROBE = """
import json, sys
from hotbed.backends import ProbeRequest
from hotbed.loading import default_house
answers = [
    default_house().engine("pytorch").probe(ProbeRequest(action=action, device="cpu"))
    for action in ("embed", "convert")
]
print(json.dumps([[a.ok for a in answers], answers[0].reason, "torch" in sys.modules]))
"""


def test_a_probe_imports_nothing(torch: Any) -> None:
    """Asked about the CPU, the probe names PyTorch's version without importing it."""
    done = subprocess.run([sys.executable, "-c", PROBE], capture_output=True, text=True, check=True)
    ok, reason, imported = json.loads(done.stdout)
    assert ok == [True, True]
    assert f"torch {torch.__version__}" in reason
    assert not imported


def test_threads_stay_as_they_were(tmp_path: Path, house: House, torch: Any) -> None:
    """Loading and embedding leave PyTorch's threads alone, and the facts tell how many."""
    before = torch.get_num_threads()
    folder = build_tiny(tmp_path / "m")
    with hotbed.load(folder, backend="pytorch", threads=before, house=house) as model:
        model.encode("bread")
        assert dict(model.loaded.facts)["threads"] == f"{before}, of the whole process"
    assert torch.get_num_threads() == before


def test_other_threads_are_refused(tmp_path: Path, house: House, torch: Any) -> None:
    """Another number of threads is an error that says how to set it for the process."""
    other = torch.get_num_threads() + 1
    with pytest.raises(UsageError, match=rf"torch\.set_num_threads\({other}\)"):
        hotbed.load(build_tiny(tmp_path / "m"), backend="pytorch", threads=other, house=house)
    assert torch.get_num_threads() == other - 1


def test_gradients_and_dropout_are_off(tmp_path: Path, house: House, torch: Any) -> None:
    """The network is in evaluation mode, holds no gradients, and leaves PyTorch's mode alone."""
    with hotbed.load(build_tiny(tmp_path / "m"), backend="pytorch", house=house) as model:
        network = model.loaded.handle.network
        model.encode("bread")
        assert not network.training
        assert not any(part.requires_grad for part in network.parameters())
        assert model.loaded.nbytes == sum(p.nbytes for p in network.parameters())
    assert torch.is_grad_enabled()
    assert not torch.is_inference_mode_enabled()


def test_close_lets_go(tmp_path: Path, house: House, torch: Any) -> None:
    """A closed handle holds no network, and using it is an error of ours."""
    engine = house.engine("pytorch")
    folder = build_tiny(tmp_path / "m")
    variant = Variant(format="safetensors", file="model.safetensors", storage="float32")
    artifact = Artifact(folder=folder, path=folder / variant.file, variant=variant)
    loaded = engine.load(artifact, LoadOptions())
    engine.close(loaded)
    assert loaded.handle.network is None
    ids = torch.ones(1, 3, dtype=torch.int64).numpy()
    batch = hotbed.backends.TokenBatch(input_ids=ids, attention_mask=ids, pooling_mask=ids)
    with pytest.raises(ClosedError):
        engine.embed(loaded, batch, ("sentence_embedding",))


@pytest.mark.parametrize("device", ["cuda", "cuda:99", "mps"])
def test_a_device_that_is_not_there(tmp_path: Path, house: House, torch: Any, device: str) -> None:
    """A device that PyTorch does not have is a no with a reason, and an error when loaded on."""
    there = {
        "cuda": torch.cuda.is_available(),
        "cuda:99": torch.cuda.device_count() > 99,
        "mps": torch.backends.mps.is_available(),
    }
    if there[device]:
        pytest.skip(f"this machine has {device}")
    engine = house.engine("pytorch")
    answer = engine.probe(ProbeRequest(action="embed", device=device))
    assert not answer.ok
    assert answer.reason
    folder = build_tiny(tmp_path / "m")
    variant = Variant(format="safetensors", file="model.safetensors", storage="float32")
    artifact = Artifact(folder=folder, path=folder / variant.file, variant=variant)
    with pytest.raises(DeviceError):
        engine.load(artifact, LoadOptions(device=device))
