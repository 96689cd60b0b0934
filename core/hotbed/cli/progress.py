"""A bar on standard error for work in steps whose number is not known at first."""

from __future__ import annotations

from types import TracebackType
from typing import Any

from hotbed.cli.console import errors

__all__ = ["Steps"]


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
        )

        self._name = name
        self._total = 0
        self._progress: Any = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=errors,
            transient=True,
            disable=not errors.is_terminal,
        )
        self._task = self._progress.add_task(name, total=None)

    def __enter__(self) -> Steps:
        self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._progress.stop()

    def expect(self, steps: int) -> None:
        """So many more steps will come."""
        self._total += steps
        self._progress.update(self._task, total=self._total)

    def step(self, what: str) -> None:
        """The next step."""
        self._progress.update(self._task, advance=1, description=f"{self._name}: {what}")
