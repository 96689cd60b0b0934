"""A backend with one letter too few: its author never ran it."""

from __future__ import annotations

from hotbed.backends import Capability, Loaded, Manifest, Probe, hookimpl

__all__ = ["HOTBED"]

HOTBED = Manifest(
    name="misfits",
    summary="Would load anything",
    hook_api=1,
    capabilities=(Capability(action="embed", formats=("onnx", "safetensors"), priority=1000),),
)


@hookimpl
def hotbed_probe() -> Probe:
    """Claim to be able."""
    return Probe(ok=True)


@hookimpl
def hotbed_load(artifact: object, option: object) -> Loaded:
    """Betray that a hook was called that does not fit."""
    raise RuntimeError("the misfit was asked to load")
