"""What this machine's processor says of itself, from the file in which Linux describes it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

__all__ = ["CPUINFO", "first_processor", "instruction_sets"]

CPUINFO = Path("/proc/cpuinfo")


def first_processor(path: Path = CPUINFO) -> dict[str, str]:
    """The first block of a cpuinfo file. The rest is not read: it may be hundreds of blocks."""
    block: dict[str, str] = {}
    try:
        with path.open(encoding="utf-8") as file:
            for line in file:
                if not line.strip() and block:
                    break
                key, _, value = line.partition(":")
                block[key.strip()] = value.strip()
    except OSError:
        return {}
    return block


def instruction_sets(processor: Mapping[str, str]) -> frozenset[str]:
    """Its instruction sets, as Linux spells them; empty where nothing tells."""
    return frozenset((processor.get("flags") or processor.get("Features") or "").split())
