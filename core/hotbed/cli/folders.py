"""The folder that a command writes: never one that is somebody's, and whole or not at all."""

from __future__ import annotations

import shutil
import uuid
from pathlib import Path

from hotbed.errors import UsageError

__all__ = ["refuse_existing", "replacing"]


def refuse_existing(output: Path, force: bool) -> None:
    """Refuse a folder that exists, unless it is a model folder that may be replaced.

    Raises:
        UsageError: It exists.
    """
    if not output.exists():
        return
    if not force:
        raise UsageError(f"{output} exists; --force replaces it")
    if not output.is_dir() or (any(output.iterdir()) and not (output / "config.json").exists()):
        raise UsageError(f"{output} is not a model folder; --force replaces only such")


class replacing:  # noqa: N801 - reads as a statement where it is used
    """Give a free path beside ``output``; what was made there takes its place at the end.

    Args:
        output: The folder to make or to replace; where nothing was made, it stays as it is.
    """

    def __init__(self, output: Path) -> None:
        self._output = output
        self._place = output.with_name(f"{output.name}.{uuid.uuid4().hex[:8]}.new")

    def __enter__(self) -> Path:
        return self._place

    def __exit__(self, kind: object, error: object, traceback: object) -> None:
        if error is not None or not self._place.exists():
            return
        old = self._place.with_suffix(".old")
        if self._output.exists():
            self._output.rename(old)
        self._place.rename(self._output)
        shutil.rmtree(old, ignore_errors=True)
