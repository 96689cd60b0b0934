"""A progress bar on long work, quiet where nobody watches."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import Any

from attrs import define

from hotbed.escaping import escape_line, shorten

__all__ = ["LONG_BYTES", "LONG_WORK", "Progress"]

LONG_BYTES = 200_000_000
"""Bytes from which one is shown: about a second of reading, hashing and flushing."""

LONG_WORK = 2_000
"""Texts from which a bar is shown unasked: about half a minute for MiniLM on two CPUs."""


@define
class Progress:
    """Counts texts or bytes. ``show=None``: if there are many, and somebody is at the terminal."""

    total: int | None
    show: bool | None
    unit: str = "text"
    label: str = "Embedding"
    least: int = LONG_WORK
    _bar: Any = None

    def __enter__(self) -> Progress:
        show = self.show
        if show is None:
            show = (self.total or 0) >= self.least and sys.stderr.isatty()
        if show:
            from tqdm.auto import tqdm

            self._bar = tqdm(
                total=self.total,
                unit=self.unit,
                desc=escape_line(shorten(self.label, 80)),
                unit_scale=self.unit == "B",
            )
        return self

    def advance(self, count: int) -> None:
        """Say that ``count`` more are done."""
        if self._bar is not None:
            self._bar.update(count)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.close()
