"""Find plugins, survive the broken ones, and remember what was found.

stevedore iterates and isolates; two of its habits are overridden. Its disk cache can be minutes
stale after a reinstall and forgets which distribution an entry point came from, so entry points
are read from ``importlib.metadata``; and it lets ``AssertionError`` at import through, and whatever
is no ``Exception``: ``SystemExit``, the panics of Rust extensions. Those are kept like any other
failure; only Ctrl-C is the user's.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import threading
from collections.abc import Callable, Iterable
from typing import Any

from attrs import evolve, field, frozen
from stevedore.extension import Extension, ExtensionManager

from hotbed.backends.fitting import Fitting, flaw_in, taken_format
from hotbed.backends.manifest import SUPPORTED_HOOK_APIS, Manifest
from hotbed.errors import UsageError

__all__ = [
    "BACKENDS",
    "FIRST_PARTY",
    "SOURCES",
    "WRAPPERS",
    "Catalog",
    "Found",
    "installed",
    "update_or_block",
]

BACKENDS = "hotbed.backends"
WRAPPERS = "hotbed.wrappers"
SOURCES = "hotbed.sources"
_GROUPS = (BACKENDS, WRAPPERS, SOURCES)

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
        fix: What mends the error or the conflict.
    """

    name: str
    dist: str
    version: str
    value: str
    plugin: Any = field(default=None, eq=id)  # an object of theirs need not be hashable
    error: str = ""
    conflict: str = ""
    blocked: str = ""
    fix: str = ""

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
            extension = super()._load_one_plugin(ep, *args)
            # A module that imports its parts when they are first read may fail here.
            getattr(getattr(extension, "plugin", None), "HOTBED", None)
            return extension
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            self.failures[ep] = error
            return None


def installed(group: str) -> list[EntryPoint]:
    """Read the entry points of a group, in an order that is the same on every machine."""
    return [entry_point for entry_point, _, _ in _in_order(_entry_points(group))]


def _entry_points(group: str) -> list[EntryPoint]:
    return list(importlib.metadata.entry_points(group=group))


_Registered = tuple[EntryPoint, str, str]
"""An entry point with its distribution's name and version; ``""`` where they are not known."""


def _in_order(found: Iterable[EntryPoint]) -> list[_Registered]:
    # A distribution's name costs a parse of its METADATA, so it is read once.
    return sorted(((ep, *_origin(ep)) for ep in found), key=_order)


def _order(registered: _Registered) -> tuple[str, str, str, str]:
    entry_point, dist, version = registered
    return entry_point.name, dist, version, entry_point.value


def _origin(entry_point: EntryPoint) -> tuple[str, str]:
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
        read: Gives the entry points of a group, in any order.
    """

    def __init__(
        self,
        group: str = BACKENDS,
        *,
        allow: Iterable[str] | None = None,
        blocked: Iterable[str] = (),
        read: Callable[[str], list[EntryPoint]] = _entry_points,
    ) -> None:
        self.group = group
        self._allow = None if allow is None else frozenset(allow)
        self._blocked = frozenset(blocked)
        self._read = read
        self._lock = threading.RLock()
        self._scanning = False
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

    def listed(self) -> tuple[Found, ...]:
        """Everything registered, and what can be said of it without importing it.

        Raises:
            UsageError: The allow-list or the block-list names a plugin that is not installed.
        """
        return tuple(found for _, found in self._survey())

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
        if self._scanning:
            # Only a plugin that is being imported, on this very thread, can come by here.
            raise UsageError(
                "a plugin asked hotbed for its plugins while it was being imported; "
                "Backend author: do that inside a hook"
            )
        self._scanning = True
        try:
            surveyed = self._survey()
            loader = _Loader(self.group, [entry for entry, found in surveyed if found.usable])
            plugins = {extension.entry_point: extension.plugin for extension in loader.extensions}
            fitting = Fitting()
            return tuple(
                self._examine(found, plugins.get(entry), loader.failures.get(entry), fitting)
                if found.usable
                else found
                for entry, found in surveyed
            )
        finally:
            self._scanning = False

    def _examine(
        self, found: Found, plugin: Any, failure: BaseException | None, fitting: Fitting
    ) -> Found:
        loaded = evolve(found, plugin=plugin)
        error = _describe(failure) or self._why_unfit(loaded, fitting)
        if not error:
            return loaded
        return evolve(found, error=error, fix=update_or_block(found))

    def _why_unfit(self, found: Found, fitting: Fitting) -> str:
        if self.group == WRAPPERS:
            return fitting.why_unfit(found.plugin, found.name, wraps=True)
        manifest = found.manifest
        if self.group != BACKENDS or manifest is None:
            return ""
        if flaw := flaw_in(manifest) or taken_format(manifest):
            return flaw
        # What was written for other hooks need not fit these: selection tells who is too old.
        speaks = manifest.hook_api in SUPPORTED_HOOK_APIS
        return fitting.why_unfit(found.plugin, found.name) if speaks else ""

    def _survey(self) -> list[tuple[EntryPoint, Found]]:
        # Twins collapse; hotbed's own comes last and is the one that stays.
        everyone = sorted(_in_order(self._read(self.group)), key=lambda r: r[1] == FIRST_PARTY)
        twins = {(registered[0].name, registered[0].value): registered for registered in everyone}
        owners: dict[str, list[str]] = {}
        for entry, dist, _ in twins.values():
            owners.setdefault(entry.name, []).append(dist)
        self._refuse_unknown_names(set(owners))
        return [
            (registered[0], self._judge(registered, owners[registered[0].name]))
            for registered in sorted(twins.values(), key=_order)
        ]

    def _judge(self, registered: _Registered, owners: list[str]) -> Found:
        entry, dist, version = registered
        found = Found(name=entry.name, dist=dist, version=version, value=entry.value)
        if len(owners) > 1 and not found.first_party:
            return _in_conflict(found, owners)
        return evolve(found, blocked=self._why_blocked(found))

    def _why_blocked(self, found: Found) -> str:
        if found.name in self._blocked:
            return "blocked by the settings (HOTBED_BLOCKED)"
        if self._allow is None or found.name in self._allow:
            return ""
        if not self._allow and found.first_party:
            return ""
        return "not in the allow-list (HOTBED_BACKENDS)"

    def _refuse_unknown_names(self, installed_names: set[str]) -> None:
        unknown = (self._allow or frozenset()) - installed_names
        if missing := self._blocked - installed_names:
            # The block-list is one for all groups.
            others = (self._read(group) for group in _GROUPS if group != self.group)
            unknown |= missing.difference(entry.name for found in others for entry in found)
        if unknown:
            raise UsageError(
                f"the settings name {', '.join(map(repr, sorted(unknown)))} in the group "
                f"{self.group}, and nothing of that name is installed; "
                f"installed: {', '.join(sorted(installed_names)) or 'none'}"
            )


def _in_conflict(found: Found, owners: list[str]) -> Found:
    remove = f"pip uninstall {found.dist}"
    if FIRST_PARTY in owners:
        conflict = f"the name {found.name!r} belongs to the distribution {FIRST_PARTY!r}"
        return evolve(found, conflict=conflict, fix=remove)
    others = list(owners)
    others.remove(found.dist)
    rivals = ", ".join(sorted({dist or "another distribution" for dist in others}))
    conflict = f"{rivals} registers the name {found.name!r} as well"
    return evolve(found, conflict=conflict, fix=f"{remove}, or {rivals}")


def update_or_block(found: Found) -> str:
    """What a user can do about a plugin that breaks."""
    update = f"pip install -U {found.dist}, or " if found.dist else ""
    return f"{update}keep it out: HOTBED_BLOCKED={found.name}"


def _describe(error: BaseException | None) -> str:
    if error is None:
        return ""
    text = str(error).strip()
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
