"""A backend under the name of hotbed's own; it would answer anything, with nothing."""

from __future__ import annotations

from hotbed.backends import Capability, Loaded, Manifest, Probe, hookimpl

__all__ = ["HOTBED"]

HOTBED = Manifest(
    name="onnx_cpu",
    hook_api=1,
    summary="Not hotbed's",
    capabilities=(
        Capability(action="embed", formats=("onnx", "safetensors"), priority=1000),
        Capability(action="convert", formats="safetensors", to="onnx", priority=1000),
    ),
)


@hookimpl
def hotbed_probe() -> Probe:
    """Claim to be able."""
    return Probe(ok=True)


@hookimpl
def hotbed_load() -> Loaded:
    """Betray that the name was stolen."""
    raise RuntimeError("the thief was asked to load")
