"""Counting CPUs by control groups; layouts as in the kernel's cgroup-v1 and cgroup-v2 documents."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from hotbed.backends import cpu_quota


@pytest.fixture(autouse=True)
def a_large_host(monkeypatch: pytest.MonkeyPatch) -> None:
    """The process may be scheduled on 16 CPUs, whatever this machine has."""
    if hasattr(os, "sched_getaffinity"):
        monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(16)))
    else:
        monkeypatch.setattr(os, "cpu_count", lambda: 16)


def quota(root: Path, lines: str, files: dict[str, str]) -> int:
    """Lay out a process folder and a cgroup tree, and count."""
    process, groups = root / "proc", root / "cgroup"
    process.mkdir()
    (process / "cgroup").write_text(lines)
    groups.mkdir()
    for name, text in files.items():
        (groups / name).parent.mkdir(parents=True, exist_ok=True)
        (groups / name).write_text(text)
    return cpu_quota(groups, process)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("200000 100000\n", 2),
        ("150000 100000\n", 2),
        ("1000 100000\n", 1),
        ("max 100000\n", 16),
        ("9900000 100000\n", 16),
        ("", 16),
        ("garbage\n", 16),
        ("two 100000\n", 16),
        ("200000 0\n", 16),
    ],
)
def test_version_2(tmp_path: Path, line: str, expected: int) -> None:
    """``cpu.max`` holds quota and period; parts of a CPU round up, and ``max`` is no limit."""
    assert quota(tmp_path, "0::/app\n", {"app/cpu.max": line}) == expected


def test_version_2_obeys_groups_above(tmp_path: Path) -> None:
    """The least quota of the group and of every group above it counts."""
    files = {
        "cpu.max": "max 100000",
        "slice/cpu.max": "300000 100000",
        "slice/app/cpu.max": "800000 100000",
        "other/cpu.max": "100000 100000",
    }
    assert quota(tmp_path, "0::/slice/app\n", files) == 3


def test_version_2_inside_a_container(tmp_path: Path) -> None:
    """A container sees its own group as the root, where the named path does not exist."""
    files = {"cpu.max": "250000 100000"}
    assert quota(tmp_path, "0::/docker/0123456789ab\n", files) == 3


@pytest.mark.parametrize(
    ("micros", "period", "expected"),
    [("400000", "100000", 4), ("50000", "100000", 1), ("-1", "100000", 16), ("1", "0", 16)],
)
def test_version_1(tmp_path: Path, micros: str, period: str, expected: int) -> None:
    """Quota and period lie in two files below ``cpu``; -1 is no limit."""
    files = {"cpu/app/cpu.cfs_quota_us": micros, "cpu/app/cpu.cfs_period_us": period}
    lines = "12:memory:/app\n4:cpu,cpuacct:/app\n2:cpuset:/\n"
    assert quota(tmp_path, lines, files) == expected


def test_version_1_ignores_other_controllers(tmp_path: Path) -> None:
    """``cpuset`` and ``cpuacct`` alone are not the controller that limits CPU time."""
    files = {"cpu/app/cpu.cfs_quota_us": "100000", "cpu/app/cpu.cfs_period_us": "100000"}
    assert quota(tmp_path, "4:cpuacct:/app\n2:cpuset:/app\n", files) == 16


def test_lines_that_are_no_groups_are_passed_over(tmp_path: Path) -> None:
    """A line of another form is no reason to fail."""
    files = {"app/cpu.max": "200000 100000"}
    assert quota(tmp_path, "garbage\n\n0::/app\n", files) == 2


def test_no_cgroups_at_all(tmp_path: Path) -> None:
    """Without ``/proc``, as on macOS and Windows, the schedulable CPUs count."""
    assert cpu_quota(tmp_path / "none", tmp_path / "none") == 16


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="this system has no affinity")
def test_affinity_counts_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process pinned to one CPU gets 1, however large its quota."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {5})
    assert quota(tmp_path, "0::/\n", {"cpu.max": "800000 100000"}) == 1
