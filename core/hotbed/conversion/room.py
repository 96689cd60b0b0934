"""Ask for the disk that a conversion will need before anything is written."""

from __future__ import annotations

from pathlib import Path

from hotbed.bounded import free_bytes
from hotbed.errors import ConversionError
from hotbed.models.folder import ModelFolder

__all__ = ["require_room"]

_WIDENED = {"float16": 2, "bfloat16": 2}
"""Stored in 16 bits, written in 32."""
_SPARE = 16_000_000
"""Bytes for the graph, the tokenizer and the reports."""


def require_room(folder: ModelFolder, place: Path, *, copies: int = 1) -> None:
    """Refuse a conversion that the disk has no room for.

    Args:
        folder: What is converted.
        place: Where the result is going to lie; it need not exist.
        copies: How many times the weights are written.

    Raises:
        ConversionError: Less is free than the weights will take.
    """
    weights = sum(
        (folder.path / name).stat().st_size
        for name in folder.weight_files
        if (folder.path / name).is_file()
    )
    storage = folder.variants[0].storage if folder.variants else ""
    needed = weights * _WIDENED.get(storage, 1) * copies + _SPARE
    free = free_bytes(place)
    if free < needed:
        raise ConversionError(
            f"{folder.name} was not converted into {place}: that takes about "
            f"{needed / 1e9:.2f} GB, and {free / 1e9:.2f} GB are free on that disk"
        )
