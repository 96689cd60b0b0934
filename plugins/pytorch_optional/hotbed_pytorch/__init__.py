"""PyTorch: runs folders of safetensors, is the gate's reference, and exports what nobody builds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hotbed.backends import (
    Artifact,
    Capability,
    ConvertTarget,
    FileFormat,
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
    # What older folders hold in place of safetensors.
    formats=(
        FileFormat(
            name="pytorch",
            folder="",
            stem="pytorch_model",
            suffix=".bin",
            instead_of="safetensors",
        ),
    ),
    capabilities=(
        Capability(
            action="embed",
            formats=("safetensors", "pytorch"),
            devices=("cpu", "cuda"),
            dtypes=("float32", "float16", "bfloat16"),
            features="reference",
            priority=10,
        ),
        # Metal computes bfloat16 on the newest chips only.
        Capability(
            action="embed",
            formats=("safetensors", "pytorch"),
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
        Capability(action="convert", formats="pytorch", to="onnx", output_version=_OUTPUT_VERSION),
        Capability(action="convert", formats="pytorch", to="safetensors"),
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
    """Let PyTorch trace the network and write it as ONNX; or write a pickle as safetensors."""
    if target.format == "safetensors":
        from hotbed_pytorch.legacy import write_safetensors

        return write_safetensors(folder, target, out)
    from hotbed_pytorch.export import export_folder

    return export_folder(folder, target, out)


@hookimpl
def hotbed_close(loaded: Loaded) -> None:
    """Let go of the network; its memory goes with it."""
    loaded.handle.close()
