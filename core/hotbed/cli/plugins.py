"""What there is to say about one plugin, as plain values for tables and for JSON."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import sys
from collections.abc import Callable
from typing import Any

from hotbed.backends.catalog import BACKENDS, SOURCES, WRAPPERS, Found
from hotbed.backends.fitting import wrapped_hooks
from hotbed.backends.manifest import SUPPORTED_HOOK_APIS, Capability, Manifest
from hotbed.backends.stages import other_hook_api
from hotbed.backends.values import Probe, ProbeRequest

__all__ = ["BROKEN", "KINDS", "Row", "describe", "origin_of", "outline"]

Row = dict[str, Any]
Ask = Callable[[Found, ProbeRequest], Probe]

KINDS = {BACKENDS: "backend", WRAPPERS: "wrapper", SOURCES: "source"}
"""Entry-point group → what its plugins are called."""

BROKEN = ("broken", "name conflict", "other hook API", "cannot run", "crashes", "hangs")
"""States in which a plugin is of no use although nobody keeps it out."""


def describe(found: Found, group: str, ask: Ask) -> Row:
    """A plugin and its state: where it is from, what it can do, the reason and the fix.

    Args:
        found: The plugin, loaded or not.
        group: Its entry-point group.
        ask: Asks a backend about this machine.
    """
    row = outline(found, group)
    manifest = found.manifest
    if row["state"]:
        pass
    elif found.error:
        row |= {"state": "broken", "reason": found.error, "fix": found.fix}
    elif group == WRAPPERS:
        row |= {"state": "works", "wraps": wrapped_hooks(found.plugin)}
    elif group == SOURCES:
        row |= _source_state(found)
    elif manifest is None:
        reason = f"{found.value} holds no `HOTBED = Manifest(...)`"
        row |= {"state": "broken", "reason": reason}
    else:
        row |= _backend_state(found, manifest, ask)
    return row


def outline(found: Found, group: str) -> Row:
    """The same without loading it; ``state`` is ``""`` where that cannot be known so."""
    state = "name conflict" if found.conflict else "blocked" if found.blocked else ""
    return {
        "kind": KINDS[group],
        "name": found.name,
        "distribution": found.dist,
        "version": found.version,
        "module": found.value,
        "file": _file(found),
        "editable": _is_editable(found.dist),
        "state": state,
        "reason": found.conflict or found.blocked,
        "fix": found.fix,
        "summary": "",
        "url": "",
        "hook_api": None,
        "capabilities": [],
        "wraps": [],
    }


def origin_of(row: Row) -> str:
    """Distribution and version in words: ``hotbed 0.1.0 (editable)``."""
    words = " ".join(filter(None, (row["distribution"], row["version"])))
    return f"{words or 'unknown distribution'}{' (editable)' if row['editable'] else ''}"


def _backend_state(found: Found, manifest: Manifest, ask: Ask) -> Row:
    row: Row = {
        "summary": manifest.summary,
        "url": manifest.url,
        "hook_api": manifest.hook_api,
        "capabilities": [_capability(c) for c in manifest.capabilities],
    }
    if manifest.hook_api not in SUPPORTED_HOOK_APIS:
        reason, fix = other_hook_api(found, manifest)
        return {**row, "state": "other hook API", "reason": reason, "fix": fix}
    answers = []
    for capability, told in zip(manifest.capabilities, row["capabilities"], strict=True):
        for device in capability.devices:
            answer = ask(found, ProbeRequest(action=capability.action, device=device))
            told["here"][device] = {"ok": answer.ok, "reason": answer.reason, "fix": answer.fix}
            answers.append(answer)
    if not answers:
        return {**row, "state": "broken", "reason": "its manifest lists nothing that it can do"}
    first = answers[0]  # what it is for comes first, on the device that it names first
    state = "works" if first.ok else "not installed" if first.optional else "cannot run"
    return {**row, "state": state, "reason": first.reason, "fix": first.fix}


def _capability(capability: Capability) -> Row:
    names = ("action", "task", "to", "priority", "output_version")
    lists = ("formats", "devices", "dtypes", "storages", "profiles", "families", "features")
    return {
        **{name: getattr(capability, name) for name in names},
        **{name: list(getattr(capability, name)) for name in (*lists, "recipes")},
        "here": {},
    }


def _source_state(found: Found) -> Row:
    if callable(getattr(found.plugin, "locate", None)):
        return {"state": "works"}
    return {"state": "broken", "reason": f"{found.value} has no function `locate`"}


def _file(found: Found) -> str:
    """The module's file; of one that is not imported, its package's."""
    module = found.value.partition(":")[0]
    loaded = sys.modules.get(module)
    if loaded is not None:
        return str(getattr(loaded, "__file__", None) or "")
    try:
        spec = importlib.util.find_spec(module.partition(".")[0])
    except (ImportError, ValueError):
        return ""
    return (spec.origin or "") if spec is not None else ""


def _is_editable(dist: str) -> bool:
    """Whether a distribution is installed as a link to its sources (PEP 610)."""
    if not dist:
        return False
    try:
        text = importlib.metadata.distribution(dist).read_text("direct_url.json")
        return bool(json.loads(text or "{}").get("dir_info", {}).get("editable"))
    except (importlib.metadata.PackageNotFoundError, ValueError, AttributeError):
        return False
