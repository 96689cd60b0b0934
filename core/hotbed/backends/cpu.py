"""How many CPUs this process may use: the quota of its cgroup, not the host's core count."""

from __future__ import annotations

import math
import os
from pathlib import Path

from hotbed.backends.cgroups import CGROUPS, PROCESS, groups

__all__ = ["cpu_quota"]


def cpu_quota(cgroups: Path = CGROUPS, process: Path = PROCESS) -> int:
    """Count the CPUs that this process may keep busy; at least 1.

    The least of: the CPUs the process may be scheduled on, and the CPU quotas of its control
    group (version 1 or 2) and of the groups above it. A container limited to two CPUs on a
    64-core host gets 2, not 64.
    """
    if hasattr(os, "sched_getaffinity"):
        usable = len(os.sched_getaffinity(0))
    else:  # Windows and macOS have no affinity call
        usable = os.cpu_count() or 1
    read = {1: _quota_v1, 2: _quota_v2}
    found = (read[version](folder) for version, folder in groups("cpu", cgroups, process))
    quotas = [quota for quota in found if quota > 0]
    return max(1, min([usable, *(math.ceil(quota) for quota in quotas)]))


def _quota_v2(folder: Path) -> float:
    try:
        quota, period = (folder / "cpu.max").read_text(encoding="utf-8").split()
        return 0.0 if quota == "max" else int(quota) / int(period)
    except (OSError, ValueError, ZeroDivisionError):
        return 0.0


def _quota_v1(folder: Path) -> float:
    try:
        quota = int((folder / "cpu.cfs_quota_us").read_text(encoding="utf-8"))
        period = int((folder / "cpu.cfs_period_us").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return 0.0
    return quota / period if quota > 0 and period > 0 else 0.0
