"""Two consoles: results go to standard output, everything else to standard error."""

from __future__ import annotations

import json
from typing import Any

from rich.console import Console
from rich.table import Table

__all__ = ["complain", "errors", "megabytes", "out", "plain_table", "print_json"]

out = Console(highlight=False, soft_wrap=True)
errors = Console(stderr=True, highlight=False, soft_wrap=True)


def complain(message: str) -> None:
    """Print an error to standard error."""
    errors.print("[bold red]error:[/bold red]", end=" ")
    errors.print(message, markup=False)


def print_json(value: Any) -> None:
    """Print a value as JSON, for scripts: no colour, no wrapping."""
    print(json.dumps(value, indent=2, ensure_ascii=False))  # noqa: T201 - the result itself


def plain_table(*columns: str, title: str | None = None) -> Table:
    """A table with few lines."""
    table = Table(title=title, box=None, title_justify="left", pad_edge=False, padding=(0, 2, 0, 0))
    for column in columns:
        table.add_column(column, header_style="bold", overflow="fold")
    return table


def megabytes(count: int) -> str:
    """Bytes as ``12.3 MB``."""
    return f"{count / 1e6:,.1f} MB"
