"""Find plugins, survive the broken ones, and remember what was found.

stevedore iterates and isolates; two of its habits are overridden. Its disk cache can be minutes
stale after a reinstall and forgets which distribution an entry point came from, so entry points
are read from ``importlib.metadata``; and it lets ``AssertionError`` and ``SystemExit`` at import
through, so those are kept like any other failure.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import threading
from collections.abc import Callable, Iterable
from typing import Any

from attrs import evolve, frozen
from stevedore.extension import Extension, ExtensionManager

from hotbed.backends.manifest import Manifest
from hotbed.errors import UsageError

__all__ = ["BACKENDS", "FIRST_PARTY", "SOURCES", "WRAPPERS", "Catalog", "Found", "installed"]

BACKENDS = "hotbed.backends"
WRAPPERS = "hotbed.wrappers"
SOURCES = "hotbed.sources"

FIRST_PARTY = "hotbed"
"""The distribution whose entry-point names nobody else may take."""

EntryPoint = importlib.metadata.EntryPoint


@frozen(kw_only=True)
class Found:
    """One entry point and what came of loading it.

    Attributes:
        name: The entry point's name.
        dist: The distribution that registered it; ``""`` if that is unknown.
        version: That distribution's version.
        value: What the entry point names, as text.
        plugin: The loaded object; None where loading failed or was not tried.
        error: Why loading failed.
        conflict: Who else registered the name, where that keeps this one from being used.
        blocked: Why the settings keep it out.
    """

    name: str
    dist: str
    version: str
    value: str
    plugin: Any = None
    error: str = ""
    conflict: str = ""
    blocked: str = ""

    @property
    def first_party(self) -> bool:
        """Whether hotbed's own distribution registered it."""
        return self.dist == FIRST_PARTY

    @property
    def usable(self) -> bool:
        """Whether it loaded, and nothing keeps it out."""
        return not (self.error or self.conflict or self.blocked)

    @property
    def manifest(self) -> Manifest | None:
        """The manifest of a backend, if it loaded and has one."""
        manifest = getattr(self.plugin, "HOTBED", None)
        return manifest if isinstance(manifest, Manifest) else None


class _Loader(ExtensionManager[Any]):
    def __init__(self, group: str, entry_points: list[EntryPoint]) -> None:
        self._entry_points = entry_points
        self.failures: dict[EntryPoint, BaseException] = {}
        super().__init__(group, on_load_failure_callback=self._record)

    def list_entry_points(self) -> list[EntryPoint]:
        return self._entry_points

    @staticmethod
    def _record(manager: Any, entry_point: EntryPoint, error: BaseException) -> None:
        manager.failures[entry_point] = error

    def _load_one_plugin(self, ep: EntryPoint, *args: Any) -> Extension[Any] | None:
        try:
            return super()._load_one_plugin(ep, *args)
        except (AssertionError, SystemExit) as error:
            self.failures[ep] = error
            return None


def installed(group: str) -> list[EntryPoint]:
    """Read the entry points of a group, in an order that is the same on every machine."""
    found = importlib.metadata.entry_points(group=group)
    return sorted(found, key=_order)


def _order(entry_point: EntryPoint) -> tuple[str, str, str]:
    return entry_point.name, _dist(entry_point)[0], entry_point.value


def _dist(entry_point: EntryPoint) -> tuple[str, str]:
    if entry_point.dist is None:
        return "", ""
    # A half-removed distribution has entry points and no metadata.
    metadata = entry_point.dist.metadata
    return metadata.get("Name", ""), metadata.get("Version", "")  # type: ignore[attr-defined]


class Catalog:
    """The plugins of one group, scanned once, on first need.

    Args:
        group: The entry-point group.
        allow: The only names that may be used; None allows all, an empty list hotbed's own.
        blocked: Names that may not be used.
        read: Gives the entry points of a group.
    """

    def __init__(
        self,
        group: str = BACKENDS,
        *,
        allow: Iterable[str] | None = None,
        blocked: Iterable[str] = (),
        read: Callable[[str], list[EntryPoint]] = installed,
    ) -> None:
        self.group = group
        self._allow = None if allow is None else frozenset(allow)
        self._blocked = frozenset(blocked)
        self._read = read
        self._lock = threading.Lock()
        self._found: tuple[Found, ...] | None = None

    def found(self) -> tuple[Found, ...]:
        """Everything registered, working or not, sorted by name.

        Raises:
            UsageError: The allow-list or the block-list names a plugin that is not installed.
        """
        with self._lock:
            if self._found is None:
                self._found = self._scan()
            return self._found

    def refresh(self) -> None:
        """Forget what was found, so that a plugin installed a second ago is seen."""
        importlib.invalidate_caches()
        with self._lock:
            self._found = None

    def get(self, name: str) -> Found:
        """Give the usable plugin of that name.

        Raises:
            UsageError: There is none; the message says what became of it.
        """
        candidates = [found for found in self.found() if found.name == name]
        for found in candidates:
            if found.usable:
                return found
        if candidates:
            why = "; ".join(f.error or f.conflict or f.blocked for f in candidates)
            raise UsageError(f"{name!r} of {self.group} cannot be used: {why}")
        raise UsageError(
            f"{name!r} is not installed in the group {self.group}; "
            f"installed: {', '.join(sorted({f.name for f in self.found()})) or 'none'}"
        )

    def _scan(self) -> tuple[Found, ...]:
        # Twins collapse; hotbed's own comes last and is the one that stays.
        everyone = sorted(self._read(self.group), key=lambda ep: _dist(ep)[0] == FIRST_PARTY)
        twins = {(ep.name, ep.value): ep for ep in everyone}
        unique = sorted(twins.values(), key=_order)
        self._refuse_unknown_names({ep.name for ep in unique})
        described = [self._judge(ep, unique) for ep in unique]
        loadable = [ep for ep, found in zip(unique, described, strict=True) if found.usable]
        loader = _Loader(self.group, loadable)
        plugins = {extension.entry_point: extension.plugin for extension in loader.extensions}
        return tuple(
            evolve(found, plugin=plugins.get(ep), error=_describe(loader.failures.get(ep)))
            for ep, found in zip(unique, described, strict=True)
        )

    def _judge(self, entry_point: EntryPoint, everyone: list[EntryPoint]) -> Found:
        dist, version = _dist(entry_point)
        found = Found(name=entry_point.name, dist=dist, version=version, value=entry_point.value)
        rivals = sorted(
            {_dist(o)[0] for o in everyone if o.name == entry_point.name and o is not entry_point}
        )
        if rivals and not found.first_party:
            if FIRST_PARTY in rivals:
                conflict = f"the name {found.name!r} belongs to the distribution {FIRST_PARTY!r}"
            else:
                conflict = f"{', '.join(rivals)} registers the name {found.name!r} as well"
            return evolve(found, conflict=conflict)
        return evolve(found, blocked=self._why_blocked(found))

    def _why_blocked(self, found: Found) -> str:
        if found.name in self._blocked:
            return "blocked by the settings"
        if self._allow is None or found.name in self._allow:
            return ""
        if not self._allow and found.first_party:
            return ""
        return "not in the allow-list (HOTBED_BACKENDS)"

    def _refuse_unknown_names(self, installed_names: set[str]) -> None:
        named = (self._allow or frozenset()) | self._blocked
        if unknown := sorted(named - installed_names):
            raise UsageError(
                f"the settings name {', '.join(map(repr, unknown))} in the group {self.group}, "
                f"and nothing of that name is installed; "
                f"installed: {', '.join(sorted(installed_names)) or 'none'}"
            )


def _describe(error: BaseException | None) -> str:
    if error is None:
        return ""
    text = str(error).strip()
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
