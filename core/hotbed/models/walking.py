"""Walk through a model folder, and not through whatever else was given in its place.

A person may name a home folder or a whole disk by mistake. Nothing is a model without
``config.json`` or ``modules.json`` at its root, so the walk goes no deeper there; and where one of
them lies beside a thousand other things, the walk ends at a bound.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from hotbed.errors import UnsupportedModelError
from hotbed.models.layout import CONFIG, MODULES

__all__ = ["MAX_ENTRIES", "walk"]

MAX_ENTRIES = 10_000
"""Files and folders in a model folder; a model has some dozens, its training run some hundreds."""

_GRAPHS = "onnx"


def walk(folder: Path) -> Iterator[Path]:
    """Give every file, folder and link below a folder, without an order.

    Folders that are links, or whose names begin with a dot, are given and not entered. Of a folder
    that cannot be a model only what lies at the root and in ``onnx/`` is given: enough to say what
    it is.

    Raises:
        UnsupportedModelError: There are more than ``MAX_ENTRIES``.
    """
    may_be_model = any(os.path.lexists(folder / name) for name in (CONFIG, MODULES))
    waiting, count = [folder], 0
    while waiting:
        place = waiting.pop()
        for entry in _scan(place):
            count += 1
            if count > MAX_ENTRIES:
                raise UnsupportedModelError(
                    f"{folder} holds more than {MAX_ENTRIES:,} files and folders, and a model has "
                    f"some dozens. Name the model's own folder, or move out of it what is not the "
                    f"model's"
                )
            yield Path(entry.path)
            if entry.name.startswith(".") or not entry.is_dir(follow_symlinks=False):
                continue
            if may_be_model or (place == folder and entry.name == _GRAPHS):
                waiting.append(Path(entry.path))


def _scan(place: Path) -> Iterator[os.DirEntry[str]]:
    """What lies in a folder; nothing where it may not be read."""
    try:
        scanned = os.scandir(place)
    except OSError:
        return
    with scanned:
        yield from scanned
