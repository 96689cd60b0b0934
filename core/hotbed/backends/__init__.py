"""The plugin API: manifests, hooks, the catalog of what is installed, and selection."""

from __future__ import annotations

from hotbed.backends.cpu import cpu_quota
from hotbed.backends.hookspecs import HotbedSpec, hookimpl
from hotbed.backends.manifest import HOOK_API, Capability, FileFormat, Manifest
from hotbed.backends.probing import probe_needs
from hotbed.backends.values import (
    Artifact,
    ConvertTarget,
    Layer,
    Loaded,
    LoadOptions,
    Pooling,
    Probe,
    ProbeRequest,
    Recipe,
    TokenBatch,
    Variant,
)

__all__ = [
    "HOOK_API",
    "Artifact",
    "Capability",
    "ConvertTarget",
    "FileFormat",
    "HotbedSpec",
    "Layer",
    "LoadOptions",
    "Loaded",
    "Manifest",
    "Pooling",
    "Probe",
    "ProbeRequest",
    "Recipe",
    "TokenBatch",
    "Variant",
    "cpu_quota",
    "hookimpl",
    "probe_needs",
]
