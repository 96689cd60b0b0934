"""ONNX Runtime on the CPU: load, embed, and convert without PyTorch."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from attrs import evolve
from numpy.typing import NDArray

from hotbed.backends import (
    Artifact,
    Capability,
    ConvertTarget,
    Loaded,
    LoadOptions,
    Manifest,
    Probe,
    ProbeRequest,
    TokenBatch,
    Variant,
    hookimpl,
    probe_needs,
)
from hotbed_onnx.families import BUILDER_VERSION, FAMILIES

__all__ = ["HOTBED"]

HOTBED = Manifest(
    name="onnx_cpu",
    hook_api=1,
    summary="ONNX Runtime on the CPU; converts without PyTorch",
    needs=("onnxruntime", "onnx"),
    extra="cpu",
    capabilities=(
        Capability(
            action="embed",
            formats="onnx",
            devices="cpu",
            dtypes=("float32", "int8", "uint8", "q8", "q4"),
            profiles=("cpu", "portable"),
            priority=50,
        ),
        Capability(
            action="convert",
            formats="safetensors",
            to="onnx",
            devices="cpu",
            profiles=("cpu", "portable"),
            families=tuple(FAMILIES),
            output_version=f"builder {BUILDER_VERSION}",
            priority=50,
        ),
    ),
)


@hookimpl
def hotbed_probe(request: ProbeRequest) -> Probe:
    """See which onnxruntime is there, and whether two of its wheels overwrote one another.

    Converting needs no runtime.
    """
    if request.action == "convert":
        return probe_needs(evolve(HOTBED, needs=("onnx", "ml_dtypes"), extra="convert"))
    from hotbed_onnx.wheels import probe_runtime

    return probe_runtime(HOTBED, "CPUExecutionProvider")


@hookimpl
def hotbed_load(artifact: Artifact, options: LoadOptions) -> Loaded:
    """Open a session on the CPU."""
    from hotbed_onnx.model import open_model

    return open_model(artifact, options, provider="CPUExecutionProvider")


@hookimpl
def hotbed_embed(
    loaded: Loaded, batch: TokenBatch, outputs: tuple[str, ...], in_flight: int
) -> dict[str, NDArray[np.float32]]:
    """Run the session."""
    from hotbed_onnx.model import run

    return run(loaded.handle, batch, outputs, in_flight)


@hookimpl
def hotbed_convert(folder: Path, target: ConvertTarget, out: Path) -> tuple[Variant, ...]:
    """Build the graph from ``config.json`` and ``model.safetensors``."""
    from hotbed.models import read_folder
    from hotbed_onnx import build_model

    file = f"{target.stem}.onnx"
    build_model(read_folder(folder), out / file, profile=target.profile)
    return (Variant(format="onnx", file=file, storage=target.dtype, profile=target.profile),)


@hookimpl
def hotbed_close(loaded: Loaded) -> None:
    """Let go of the session; its memory goes with it."""
    loaded.handle.close()
