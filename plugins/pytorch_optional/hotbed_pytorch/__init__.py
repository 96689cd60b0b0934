"""PyTorch: runs folders of safetensors, is the gate's reference, and exports what nobody builds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
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
)

__all__ = ["HOTBED"]

_OUTPUT_VERSION = "export 1"
"""Counts up whenever the same folder would give another graph."""

HOTBED = Manifest(
    name="pytorch",
    hook_api=1,
    summary="PyTorch: the reference, and the exporter of what no builder knows",
    needs=("torch", "transformers", "sentence_transformers"),
    extra="torch",
    capabilities=(
        Capability(
            action="embed",
            formats="safetensors",
            devices=("cpu", "cuda"),
            dtypes=("float32", "float16", "bfloat16"),
            features="reference",
            priority=10,
        ),
        # Metal computes bfloat16 on the newest chips only.
        Capability(
            action="embed",
            formats="safetensors",
            devices="mps",
            dtypes=("float32", "float16"),
            priority=10,
        ),
        Capability(
            action="convert",
            formats="safetensors",
            to="onnx",
            devices="cpu",
            profiles="portable",
            output_version=_OUTPUT_VERSION,
            priority=10,
        ),
    ),
)


@hookimpl
def hotbed_probe(request: ProbeRequest) -> Probe:
    """See which versions are installed, and whether PyTorch has the device."""
    from hotbed_pytorch.probing import probe

    return probe(HOTBED, request)


@hookimpl
def hotbed_load(artifact: Artifact, options: LoadOptions) -> Loaded:
    """Open a folder's transformer and modules on a device."""
    from hotbed_pytorch.model import open_model

    return open_model(artifact, options)


@hookimpl
def hotbed_embed(
    loaded: Loaded, batch: TokenBatch, outputs: tuple[str, ...]
) -> dict[str, NDArray[np.float32]]:
    """Run the network."""
    from hotbed_pytorch.model import run

    return run(loaded.handle, batch, outputs)


@hookimpl
def hotbed_convert(folder: Path, target: ConvertTarget, out: Path) -> tuple[Variant, ...]:
    """Let PyTorch trace the network and write it as ONNX."""
    from hotbed_pytorch.export import export_folder

    return export_folder(folder, target, out)


@hookimpl
def hotbed_close(loaded: Loaded) -> None:
    """Let go of the network; its memory goes with it."""
    loaded.handle.close()
