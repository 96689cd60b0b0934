"""Backends written for tests: real modules with real manifests, as the catalog would find them."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

from hotbed.backends import Capability, Manifest, hookimpl
from hotbed.backends.catalog import Found

__all__ = ["EMBED", "backend", "capability", "module", "wrapper"]


def capability(action: str = "embed", **changes: Any) -> Capability:
    """A capability of an ordinary ONNX backend, changed."""
    return Capability(**{"action": action, "formats": "onnx", **changes})


EMBED = capability()


def module(name: str, manifest: Manifest | None, **hooks: Callable[..., Any]) -> ModuleType:
    """A plugin module that holds a manifest and hooks."""
    made = ModuleType(name)
    if manifest is not None:
        made.HOTBED = manifest  # type: ignore[attr-defined]
    for hook, function in hooks.items():
        setattr(made, hook, hookimpl(function))
    return made


def wrapper(**hooks: Callable[..., Any]) -> Found:
    """A plugin of the group ``hotbed.wrappers``."""
    made = ModuleType("wrapper")
    for hook, function in hooks.items():
        setattr(made, hook, hookimpl(wrapper=True)(function))
    return Found(name="tracer", dist="acme", version="1", value="wrapper", plugin=made)


def backend(
    name: str,
    *capabilities: Capability,
    dist: str = "acme",
    hook_api: int = 1,
    hooks: dict[str, Callable[..., Any]] | None = None,
    manifest: dict[str, Any] | None = None,
    **found: Any,
) -> Found:
    """A backend as the catalog gives it."""
    declared = Manifest(
        name=name, hook_api=hook_api, capabilities=capabilities or (EMBED,), **(manifest or {})
    )
    plugin = None if found.get("error") else module(name, declared, **(hooks or {}))
    return Found(
        **{"name": name, "dist": dist, "version": "1.0", "value": name, "plugin": plugin, **found}
    )
