"""A backend written for a later hook API: a hook that there is not yet, and arguments too."""

from __future__ import annotations

from hotbed.backends import Capability, Manifest, Probe, hookimpl

__all__ = ["HOTBED"]

HOTBED = Manifest(
    name="future",
    summary="Ahead of its time",
    hook_api=99,
    capabilities=(Capability(action="embed", formats=("onnx", "safetensors"), priority=1000),),
)


@hookimpl
def hotbed_probe(request: object, budget: object) -> Probe:
    """Ask for an argument that a later hotbed passes."""
    return Probe(ok=True)


@hookimpl
def hotbed_dream(loaded: object) -> None:
    """Implement a hook that a later hotbed has."""
