"""ONNX Runtime on the CPU: load, embed, and convert and quantise without PyTorch."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from attrs import evolve
from numpy.typing import NDArray

from hotbed.backends import (
    Artifact,
    Capability,
    ConvertTarget,
    Layer,
    Loaded,
    LoadOptions,
    Manifest,
    Probe,
    ProbeRequest,
    Recipe,
    TokenBatch,
    Variant,
    hookimpl,
    probe_needs,
)
from hotbed_onnx.families import BUILDER_VERSION, FAMILIES
from hotbed_onnx.quantising.recipes import RECIPES, Way

__all__ = ["HOTBED"]

_PROFILES = ("cpu", "portable")


def _quantising(way: Way) -> Capability:
    features = ("layers",) * way.mixes + ("texts",) * way.calibrated
    return Capability(
        action="quantize",
        formats="onnx",
        to="onnx",
        devices="cpu",
        # Float weights of any width run in float32 on a CPU.
        dtypes="float32" if way.dtype == "float16" else way.dtype,
        storages="float32",
        profiles=_PROFILES,
        features=features,
        recipes=way.recipe,
        priority=50,
    )


HOTBED = Manifest(
    name="onnx_cpu",
    hook_api=1,
    summary="ONNX Runtime on the CPU; converts and quantises without PyTorch",
    needs=("onnxruntime", "onnx"),
    extra="cpu",
    capabilities=(
        Capability(
            action="embed",
            formats="onnx",
            devices="cpu",
            dtypes=("float32", "int8", "uint8", "q8", "w8", "q4"),
            profiles=_PROFILES,
            priority=50,
        ),
        Capability(
            action="convert",
            formats="safetensors",
            to="onnx",
            devices="cpu",
            profiles=_PROFILES,
            families=tuple(FAMILIES),
            output_version=f"builder {BUILDER_VERSION}",
            priority=50,
        ),
        *map(_quantising, RECIPES),
    ),
)


@hookimpl
def hotbed_probe(request: ProbeRequest) -> Probe:
    """See which onnxruntime is there, and whether two of its wheels overwrote one another.

    Converting needs no runtime.
    """
    if request.action == "convert":
        return probe_needs(evolve(HOTBED, needs=("onnx", "ml_dtypes"), extra="convert"))
    from hotbed_onnx.integers import INTEGERS, here, without_vnni
    from hotbed_onnx.wheels import probe_runtime

    answer = probe_runtime(HOTBED, "CPUExecutionProvider")
    if request.dtype in INTEGERS and without_vnni(here()):
        slow = "this CPU has no VNNI, so 8-bit integers are slower here than w8"
        return evolve(answer, reason=f"{answer.reason}; {slow}")
    return answer


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
def hotbed_layers(artifact: Artifact) -> tuple[Layer, ...]:
    """Name the graph's linear layers and large tables."""
    from hotbed_onnx.quantising.quantise import layers_of

    return layers_of(artifact)


@hookimpl
def hotbed_quantize(
    artifact: Artifact, recipe: Recipe, batches: Sequence[TokenBatch], out: Path
) -> tuple[Variant, ...]:
    """Rewrite the graph with fewer bits."""
    from hotbed_onnx.quantising.quantise import quantise

    return quantise(artifact, recipe, batches, out)


@hookimpl
def hotbed_close(loaded: Loaded) -> None:
    """Let go of the session; its memory goes with it."""
    loaded.handle.close()
