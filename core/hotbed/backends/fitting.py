"""Whether what a plugin brings fits: its hooks, and the values in its manifest."""

from __future__ import annotations

import attrs
import pluggy

from hotbed.backends.hookspecs import PROJECT, HotbedSpec
from hotbed.backends.manifest import Capability, FileFormat, Manifest

__all__ = [
    "CORE_FORMATS",
    "Fitting",
    "flaw_in",
    "hook_manager",
    "register",
    "taken_format",
    "wrapped_hooks",
]

CORE_FORMATS = frozenset({"onnx", "safetensors"})
"""What every model folder may hold; nobody else says where that lies."""

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
            f"it does not fit hotbed's hooks: {_in_a_line(error)}. "
            f"Backend author: compare the hook's name and arguments with hotbed.backends."
        )
    return ""


def _in_a_line(error: Exception) -> str:
    """What pluggy says, without the plugin's name, which stands beside it anyway."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    if len(lines) > 1 and lines[0].startswith("Plugin "):
        lines = lines[1:]
    return "; ".join(line.removeprefix("hookimpl definition: ") for line in lines)


class Fitting:
    """One manager in which plugins are tried on, one after the other, as making it is slow."""

    def __init__(self) -> None:
        self._manager = hook_manager()

    def why_unfit(self, plugin: object, name: str, *, wraps: bool = False) -> str:
        """What about a plugin does not fit; ``""`` if all of it does.

        Args:
            plugin: The plugin.
            name: What to call it.
            wraps: Whether it may do no more than wrap hooks.
        """
        why = register(self._manager, plugin, name)
        if wraps and not why:
            why = self._displaced(plugin)
        if self._manager.is_registered(plugin):
            self._manager.unregister(plugin)
        return why

    def _displaced(self, plugin: object) -> str:
        """The hooks that would answer in the place of every backend."""
        plain = sorted(
            hook.name
            for hook in self._manager.get_hookcallers(plugin) or ()
            for impl in hook.get_hookimpls()
            if impl.plugin is plugin and not (impl.wrapper or impl.hookwrapper)
        )
        if not plain:
            return ""
        return (
            f"its {', '.join(plain)} would answer in the place of every backend. "
            f"Wrapper author: mark it @hookimpl(wrapper=True), and yield."
        )


def taken_format(manifest: Manifest) -> str:
    """Refuse a format of hotbed's own: its files would be read by backends that never asked."""
    taken = sorted({kind.name for kind in manifest.formats} & CORE_FORMATS)
    if not taken:
        return ""
    return (
        f"HOTBED.formats brings {', '.join(taken)}, which hotbed reads itself. "
        f"Backend author: give your own format a name of its own."
    )


def wrapped_hooks(plugin: object) -> list[str]:
    """The names of the hooks that a plugin implements."""
    manager = hook_manager()
    manager.register(plugin)
    return sorted(hook.name for hook in manager.get_hookcallers(plugin) or ())


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
