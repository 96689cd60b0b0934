"""Two consoles: results go to standard output, everything else to standard error.

Everything that is printed goes through here, and data is escaped here and nowhere else: rich's
markup and emoji names are never read, and control characters are shown instead of sent. A test
keeps other ways of printing out of this package.
"""

from __future__ import annotations

import errno
import json
import logging
import math
import sys
import warnings
from collections.abc import Iterable
from typing import Any, TextIO

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.status import Status
from rich.table import Table
from rich.text import Text

from hotbed.errors import HotbedWarning
from hotbed.escaping import escape, escape_json, escape_line, shorten

__all__ = [
    "ConsoleHandler",
    "complain",
    "errors",
    "json_line",
    "megabytes",
    "out",
    "plain_table",
    "print_json",
    "show_warning",
]


class _SafeConsole(Console):
    """A console for data: strings are escaped, cut where they are very long, and never markup."""

    def __init__(self, *, stderr: bool = False) -> None:
        super().__init__(stderr=stderr, markup=False, emoji=False, highlight=False, soft_wrap=True)

    def render_str(self, text: str, **options: Any) -> Text:
        """Every string comes by here: printed alone, or in a cell of a table."""
        options.update(markup=False, emoji=False)
        return super().render_str(shorten(escape(text)), **options)

    def render(
        self, renderable: RenderableType, options: ConsoleOptions | None = None
    ) -> Iterable[Segment]:
        """Whatever was not a string (a Text, a bar) comes by here as segments."""
        for segment in super().render(renderable, options):
            if segment.control:
                yield segment
            else:
                yield Segment(escape(segment.text), segment.style)

    def on_broken_pipe(self) -> None:
        """Rich ends the process here; the command line does that in one place."""
        raise BrokenPipeError(errno.EPIPE, "nobody reads this")

    def status(self, status: RenderableType, **options: Any) -> Status:
        """A line that stays while work goes on; rich would read markup in it."""
        shown = Text(escape_line(shorten(status))) if isinstance(status, str) else status
        return super().status(shown, **options)


class _PlainTable(Table):
    """A table whose cells are one line each where they are strings."""

    def add_row(self, *cells: RenderableType | None, **options: Any) -> None:
        """Add a row."""
        lines = [escape_line(cell) if isinstance(cell, str) else cell for cell in cells]
        super().add_row(*lines, **options)


out = _SafeConsole()
errors = _SafeConsole(stderr=True)


def complain(message: str) -> None:
    """Print an error to standard error."""
    errors.print("error:", style="bold red", end=" ")
    errors.print(message)


def print_json(value: Any) -> None:
    """Print a value as JSON, for scripts: no color, no wrapping."""
    sys.stdout.write(f"{_dumps(_finite(value), sys.stdout, indent=2)}\n")


def json_line(value: Any, file: TextIO) -> str:
    """A value as one line of JSON for a file or standard output.

    Raises:
        ValueError: It holds a number that JSON has no form for.
        RecursionError: It is nested too deep.
    """
    return f"{_dumps(value, file)}\n"


def _dumps(value: Any, file: TextIO, indent: int | None = None) -> str:
    # What can show only some characters gets the others as JSON escapes them.
    narrow = not (getattr(file, "encoding", None) or "utf-8").lower().startswith("utf")
    return escape_json(json.dumps(value, indent=indent, ensure_ascii=narrow, allow_nan=False))


def _finite(value: Any) -> Any:
    """The same with null for the numbers that JSON has no form for."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _finite(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(one) for one in value]
    return value


def plain_table(*columns: str, title: str | None = None) -> Table:
    """A table with few lines."""
    table = _PlainTable(
        title=title, box=None, title_justify="left", pad_edge=False, padding=(0, 2, 0, 0)
    )
    for column in columns:
        table.add_column(escape_line(column), header_style="bold", overflow="fold")
    return table


def megabytes(count: int) -> str:
    """Bytes as ``12.3 MB``."""
    return f"{count / 1e6:,.1f} MB"


class ConsoleHandler(logging.Handler):
    """Log records on standard error, escaped like everything else."""

    def emit(self, record: logging.LogRecord) -> None:
        """Print one record."""
        try:
            errors.print(self.format(record))
        except Exception:  # logging's own way with what fails in a handler
            self.handleError(record)


def show_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: object = None,
    line: str | None = None,
) -> None:
    """Print a warning to standard error; takes the place of ``warnings.showwarning``."""
    if issubclass(category, HotbedWarning):
        errors.print("warning:", style="yellow", end=" ")
        errors.print(str(message))
    else:
        errors.print(warnings.formatwarning(message, category, filename, lineno, line), end="")
