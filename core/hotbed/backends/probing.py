"""The probe of a backend that brings none: are the modules that it needs there?"""

from __future__ import annotations

import importlib.util

from hotbed.backends.manifest import Manifest
from hotbed.backends.values import Probe

__all__ = ["probe_needs"]


def probe_needs(manifest: Manifest, dist: str = "hotbed") -> Probe:
    """Look for the modules in ``manifest.needs`` without importing them.

    Args:
        manifest: The backend's manifest.
        dist: Its distribution, whose ``extra`` installs them.
    """
    absent = [name for name in manifest.needs if importlib.util.find_spec(name) is None]
    if not absent:
        return Probe(ok=True)
    fix = f'pip install "{dist}[{manifest.extra}]"' if manifest.extra else ""
    reason = f"not installed: {', '.join(absent)}"
    return Probe(ok=False, reason=reason, fix=fix, optional=bool(manifest.extra))
