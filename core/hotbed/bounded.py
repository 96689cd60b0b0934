"""Bytes that an archive declares are bounded by what is really there, and by the free disk."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Protocol

from hotbed.errors import CorruptFileError

__all__ = ["copy_bounded", "free_bytes", "require_sane_size"]

_RATIO = 20
"""Weights shrink to a half at best, a tokenizer's JSON to a tenth."""
_SMALL = 64_000_000
"""Bytes that anything may unpack to."""
_CHUNK = 1 << 20


class Readable(Protocol):
    """What bytes are read from."""

    def read(self, size: int, /) -> bytes:
        """At most so many bytes; none at the end."""


class Writable(Protocol):
    """What bytes are written to."""

    def write(self, data: bytes, /) -> object:
        """Write all of them."""


def copy_bounded(source: Readable, target: Writable, limit: int, name: str) -> int:
    """Copy at most so many bytes; gives how many there were.

    Args:
        source: Where from.
        target: Where to.
        limit: Bytes that were declared, or may come.
        name: What is copied, for the message.

    Raises:
        CorruptFileError: More bytes come.
    """
    count = 0
    while chunk := source.read(_CHUNK):
        count += len(chunk)
        if count > limit:
            raise CorruptFileError(f"{name} holds more than the {limit:,} bytes that it may have")
        target.write(chunk)
    return count


def require_sane_size(total: int, packed: int, place: Path, name: str) -> None:
    """Check what an archive says it unpacks to, before anything is written.

    Args:
        total: Bytes that its entries declare together.
        packed: Bytes of the archive itself.
        place: Where it would be unpacked; it need not exist.
        name: The archive, for the message.

    Raises:
        CorruptFileError: It would be many times its own size, or more than the disk has room for.
    """
    if total > max(_SMALL, _RATIO * packed):
        raise CorruptFileError(
            f"{name} has {packed:,} bytes and says that it unpacks to {total:,}; a model shrinks "
            f"to a {_RATIO}th at most"
        )
    if total > (free := free_bytes(place)):
        raise CorruptFileError(
            f"{name} says that it unpacks to {total:,} bytes, and {free:,} are free at {place}"
        )


def free_bytes(place: Path) -> int:
    """Bytes free on the disk where a path lies, or would lie."""
    existing = next(path for path in (place.absolute(), *place.absolute().parents) if path.exists())
    return shutil.disk_usage(existing).free
