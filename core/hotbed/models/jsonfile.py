"""Read one JSON file of a model folder, with errors that say what is wrong with which file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from hotbed.errors import CorruptFileError, MissingFileError

__all__ = ["read_object", "read_value"]


def read_value(path: Path) -> Any:
    """Read any JSON value.

    Raises:
        MissingFileError: There is no such file.
        CorruptFileError: It is empty, not text, or not JSON.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise MissingFileError(
            f"{path.name} is missing from {path.parent}; a model folder needs it. "
            f"Save the model again with save_pretrained(), or download it again"
        ) from None
    except UnicodeDecodeError as error:
        raise CorruptFileError(f"{path} is not UTF-8 text: {error}") from error
    if not text.strip():
        raise CorruptFileError(f"{path} is empty; download or save it again")
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise CorruptFileError(
            f"{path} is not JSON ({error}); it may have been cut off: download or save it again"
        ) from error


def read_object(path: Path, *, required: bool = True) -> dict[str, Any]:
    """Read a JSON object; ``{}`` where the file is absent and not required."""
    if not required and not path.exists():
        return {}
    value = read_value(path)
    if not isinstance(value, dict):
        raise CorruptFileError(f"{path} holds a JSON {type(value).__name__}, not an object")
    return value
