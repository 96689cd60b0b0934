"""Files that a command is given: looked at before anything waits for them."""

from __future__ import annotations

from pathlib import Path

from hotbed.errors import UsageError

__all__ = ["require_file"]


def require_file(path: Path, name: str) -> Path:
    """Refuse what is no file: a folder is none, and a pipe would be waited for without end.

    Args:
        path: What was given.
        name: The option or argument.

    Raises:
        UsageError: It is not a regular file.
    """
    if path.is_file():
        return path
    there = "is not a file" if path.exists() else "does not exist"
    raise UsageError(f"{name} {path}: it {there}")
