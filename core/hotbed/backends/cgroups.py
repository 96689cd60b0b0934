"""The control groups that this process is in: folders with the limits of a container."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

__all__ = ["CGROUPS", "PROCESS", "groups"]

CGROUPS = Path("/sys/fs/cgroup")
PROCESS = Path("/proc/self")


def groups(controller: str, cgroups: Path, process: Path) -> Iterator[tuple[int, Path]]:
    """The groups that limit this process, and those above them.

    Args:
        controller: ``cpu`` or ``memory``.
        cgroups: Where the control groups are mounted.
        process: The process, under ``/proc``.

    Yields:
        The version of control groups, 1 or 2, and a folder; it need not be there.
    """
    try:
        lines = (process / "cgroup").read_text(encoding="utf-8").splitlines()
    except OSError:
        return
    for line in lines:
        _, controllers, path = [*line.split(":", 2), "", ""][:3]
        if not path:
            continue
        if controllers == "":
            yield from ((2, folder) for folder in _upwards(cgroups, path))
        elif controller in controllers.split(","):
            yield from ((1, folder) for folder in _upwards(cgroups / controller, path))


def _upwards(root: Path, path: str) -> list[Path]:
    folder = root / path.lstrip("/")
    return [folder, *(parent for parent in folder.parents if parent.is_relative_to(root))]
