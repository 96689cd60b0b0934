"""A bar on standard error for work in steps whose number is not known at first."""

from __future__ import annotations

import logging
from types import TracebackType
from typing import Any

from hotbed.cli.console import errors

__all__ = ["Steps"]

_searching = logging.getLogger("hotbed.quantisation")
"""Says how long a search will take, and how far it is; nobody should need -v for that."""


class Steps:
    """A progress bar; nothing where standard error is no terminal.

    Args:
        name: What stands before each step.
    """

    def __init__(self, name: str) -> None:
        # Only long commands need it, and every command imports this package.
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            TextColumn,
            TimeElapsedColumn,
            TimeRemainingColumn,
        )

        self._name = name
        self._total = 0
        self._progress: Any = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            console=errors,
            transient=True,
            disable=not errors.is_terminal,
        )
        self._task = self._progress.add_task(name, total=None)

    def __enter__(self) -> Steps:
        if not _searching.isEnabledFor(logging.INFO):
            _searching.setLevel(logging.INFO)
        self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._progress.stop()
        _searching.setLevel(logging.NOTSET)

    def expect(self, steps: int) -> None:
        """So many more steps will come."""
        self._total += steps
        self._progress.update(self._task, total=self._total)

    def step(self, what: str) -> None:
        """The next step."""
        self._progress.update(self._task, advance=1, description=f"{self._name}: {what}")
