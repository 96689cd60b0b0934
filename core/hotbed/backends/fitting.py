"""Whether what a plugin brings fits: its hooks, and the values in its manifest."""

from __future__ import annotations

import attrs
import pluggy

from hotbed.backends.hookspecs import PROJECT, HotbedSpec
from hotbed.backends.manifest import Capability, FileFormat

__all__ = ["flaw_in", "hook_manager", "register", "why_unfit"]

_KINDS: dict[str, type] = {
    "str": str,
    "int": int,
    "tuple[str, ...]": str,
    "tuple[Capability, ...]": Capability,
    "tuple[FileFormat, ...]": FileFormat,
}
"""A field's annotation → what it, or each of its parts, has to be."""


def hook_manager() -> pluggy.PluginManager:
    """A plugin manager that knows hotbed's hooks, and no plugin."""
    manager = pluggy.PluginManager(PROJECT)
    manager.add_hookspecs(HotbedSpec)
    return manager


def register(manager: pluggy.PluginManager, plugin: object, name: str) -> str:
    """Register a plugin; give ``""``, or what about it does not fit."""
    try:
        manager.register(plugin, name=name)
        manager.check_pending()
    except Exception as error:  # pluggy reads every attribute, and some raise when read
        return (
            f"it does not fit hotbed's hooks: {error}. "
            f"Backend author: compare the hook's name and arguments with hotbed.backends."
        )
    return ""


def why_unfit(plugin: object, name: str) -> str:
    """What about a plugin does not fit the hooks; ``""`` if all of it does."""
    return register(hook_manager(), plugin, name)


def flaw_in(value: object, where: str = "HOTBED") -> str:
    """The first value in a manifest that is of the wrong kind; ``""`` if there is none.

    A type checker would tell the author; selection must not stumble over it where there was none.
    """
    for field in attrs.fields(type(value)):  # type: ignore[arg-type]
        kind = _KINDS.get(str(field.type))
        if kind is None:
            continue
        held = getattr(value, field.name)
        for part in held if isinstance(held, tuple) else (held,):
            if not isinstance(part, kind):
                return f"{where}.{field.name} holds {part!r}, and {kind.__name__} is expected"
            inside = flaw_in(part, f"{where}.{field.name}") if attrs.has(type(part)) else ""
            if inside:
                return inside
    return ""
