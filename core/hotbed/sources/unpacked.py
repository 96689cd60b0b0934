"""Sources that were unpacked on this machine: where they lie, and their removal."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

from hotbed.publishing import STAGE_PREFIX, is_abandoned
from hotbed.settings import Settings

__all__ = ["prune_sources", "unpacked_sources"]


def unpacked_sources(settings: Settings) -> list[Path]:
    """Their folders; earlier versions kept them under the home."""
    roots = dict.fromkeys([settings.cache, settings.home])
    return sorted(path for root in roots for path in (root / "sources").glob("*/*"))


def prune_sources(settings: Settings, older_than: float | None = None) -> list[Path]:
    """Remove those that are so many seconds old (None: all); gives what was removed.

    What another process is unpacking just now stays.
    """
    now, gone = time.time(), []
    for path in unpacked_sources(settings):
        if path.name.startswith(STAGE_PREFIX) and not is_abandoned(path):
            continue
        if older_than is None or now - path.stat().st_mtime > older_than:
            shutil.rmtree(path, ignore_errors=True)
            gone.append(path)
    return gone
