"""How much memory this process may use: the limit of its cgroup, not only the host's size."""

from __future__ import annotations

import os
from pathlib import Path

from hotbed.backends.cgroups import CGROUPS, PROCESS, groups

__all__ = ["memory_quota"]

_LIMITS = {1: "memory.limit_in_bytes", 2: "memory.max"}


def memory_quota(cgroups: Path = CGROUPS, process: Path = PROCESS) -> int | None:
    """Bytes that this process may use; None where the system does not tell.

    The least of: the machine's memory, and the limits of its control group (version 1 or 2) and of
    the groups above it.
    """
    limits = [] if (physical := _physical()) is None else [physical]
    for version, folder in groups("memory", cgroups, process):
        try:
            limits.append(int((folder / _LIMITS[version]).read_text(encoding="utf-8")))
        except (OSError, ValueError):  # no such group, or "max"
            continue
    return min(limits, default=None)


def _physical() -> int | None:
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):  # Windows
        return None
