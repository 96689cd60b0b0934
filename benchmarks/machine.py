"""What a figure depends on: the machine, the threads, the versions, the texts."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path
from typing import Any

from mix import DIGEST

__all__ = ["describe", "show", "spread_in_words"]

_FLAGS = {
    "avx2": ("avx2",),
    "avx512": ("avx512f",),
    "vnni": ("avx512_vnni", "avx_vnni"),
    "bf16": ("avx512_bf16", "amx_bf16"),
}
"""Our word → flags of which any one means it, as Linux names them."""


def describe(packages: Iterable[str], threads: int | None = None) -> dict[str, Any]:
    """Machine, threads, versions and mix, for the head of a result."""
    return {
        "cpu": _cpu("model name") or platform.processor() or platform.machine(),
        "cpus": len(os.sched_getaffinity(0))
        if hasattr(os, "sched_getaffinity")
        else os.cpu_count(),
        "flags": _flags(),
        "load_before": [round(load, 2) for load in os.getloadavg()],
        "system": platform.platform(),
        "python": platform.python_version(),
        "threads": threads,
        "versions": {name: _version(name) for name in packages},
        "mix_sha256": DIGEST,
    }


def _in_words(facts: dict[str, Any]) -> str:
    """The same in four lines."""
    flags = ", ".join(f"{name} {'yes' if on else 'no'}" for name, on in facts["flags"].items())
    versions = ", ".join(f"{name} {found}" for name, found in facts["versions"].items())
    threads = "" if facts["threads"] is None else f"threads {facts['threads']}, "
    return (
        f"{facts['cpu']}, {facts['cpus']} usable ({flags}), load {facts['load_before'][0]} before\n"
        f"{threads}{facts['system']}, Python {facts['python']}\n"
        f"{versions}\n"
        f"mix sha256 {facts['mix_sha256'][:16]}"
    )


def show(result: dict[str, Any], *tables: Any) -> None:
    """Print a result: where it was measured, its tables, and what is absent, with the reason."""
    from rich.console import Console

    console = Console()
    if not console.is_terminal:
        console.width = 150  # in a file nothing needs to be folded
    console.print(_in_words(result["machine"]), highlight=False, soft_wrap=True)
    if result.get("elsewhere"):
        versions = result["elsewhere"]["versions"].items()
        found = ", ".join(f"{name} {version}" for name, version in versions)
        console.print(f"own environment: {found}", highlight=False, soft_wrap=True)
    for table in tables:
        console.print(table)
    for name, reason in result.get("absent", {}).items():
        console.print(f"absent: {name}: {reason}", highlight=False, markup=False, soft_wrap=True)


def spread_in_words(value: dict[str, float], digits: int) -> str:
    """``median [min..max]`` for a cell of the table."""
    median, least, most = (f"{value[key]:.{digits}f}" for key in ("median", "min", "max"))
    return f"{median} [dim]\\[{least}..{most}][/dim]"


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "absent"


def _cpus() -> int | None:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()


def _cpu(key: str) -> str:
    """The first value of a key in /proc/cpuinfo; empty where there is no such file."""
    path = Path("/proc/cpuinfo")
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    pairs = (line.partition(":") for line in lines)
    return next((value.strip() for name, _, value in pairs if name.strip() == key), "")


def _flags() -> dict[str, bool | None]:
    """Which instruction sets are there; None where the system does not tell."""
    found = set(_cpu("flags").split())
    return {word: bool(found & set(names)) if found else None for word, names in _FLAGS.items()}
