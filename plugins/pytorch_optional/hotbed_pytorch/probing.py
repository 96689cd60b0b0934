"""Which PyTorch is installed, and which devices it has."""

from __future__ import annotations

import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from hotbed.backends import Manifest, Probe, ProbeRequest, probe_needs

__all__ = ["device_fault", "probe"]

_PACKAGES = ("torch", "transformers", "sentence-transformers")
_EXPORTER = ("onnx", "onnxscript")
_DRIVERS = ("/dev/nvidiactl", "/dev/dxg", "/dev/kfd")
"""What NVIDIA's driver, Windows' Linux and AMD's driver show where there is a GPU."""


def probe(manifest: Manifest, request: ProbeRequest) -> Probe:
    """Answer for one device. PyTorch is imported only where the answer needs it.

    ``device="auto"`` asks about GPUs on every machine, and importing PyTorch to be told that
    there is none would cost each load seconds.
    """
    missing = probe_needs(manifest)
    if not missing.ok:
        return missing
    if request.action == "convert":
        from attrs import evolve

        missing = probe_needs(evolve(manifest, needs=_EXPORTER))
        if not missing.ok:
            return missing
    fault = _no_gpu_at_all(request.device) or (
        device_fault(request.device) if request.device != "cpu" else ""
    )
    if fault:
        return Probe(ok=False, reason=fault, fix=_fix(request.device))
    return Probe(ok=True, reason=", ".join(_versions()))


def _versions() -> list[str]:
    named = []
    for package in _PACKAGES:
        try:
            named.append(f"{package} {version(package)}")
        except PackageNotFoundError:  # a source tree on the path has no metadata
            named.append(f"{package} of an unknown version")
    return named


def _no_gpu_at_all(device: str) -> str:
    """Why there is surely no such device, told without importing PyTorch; ``""`` if unsure."""
    kind = device.partition(":")[0]
    if kind == "mps" and sys.platform != "darwin":
        return f"mps is Metal, on Apple's machines; this is {sys.platform}"
    if kind != "cuda":
        return ""
    torch = next(iter(_versions()))
    if torch.endswith("+cpu"):
        return f"{torch} was built without GPUs"
    if sys.platform == "linux" and not any(Path(driver).exists() for driver in _DRIVERS):
        return "this machine shows no GPU driver"
    return ""


def device_fault(device: str) -> str:
    """What is wrong with a device, in words; ``""`` where PyTorch can use it."""
    import torch

    kind, _, number = device.partition(":")
    if kind == "cpu":
        return "" if not number else f"{device} is no device of PyTorch's: there is one cpu"
    if kind == "mps":
        built, there = torch.backends.mps.is_built(), torch.backends.mps.is_available()
        said = "has no Metal here" if built else "was built without Metal"
        return "" if there else f"torch {torch.__version__} {said}"
    if kind != "cuda":
        return f"{device!r} is no device that this backend knows"
    if not torch.cuda.is_available():
        return f"torch {torch.__version__} sees no CUDA device"
    count = torch.cuda.device_count()
    if number and not (number.isdecimal() and int(number) < count):
        return f"{device} was asked for, and there are {count}: cuda:0 to cuda:{count - 1}"
    if torch._C._cuda_isInBadFork():
        return "this process was forked from one that used CUDA; spawn it instead"
    return ""


def _fix(device: str) -> str:
    if device.startswith("cuda"):
        return "install a PyTorch built for your GPU: https://pytorch.org/get-started/locally/"
    return ""
