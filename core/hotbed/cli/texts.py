"""Read texts for ``hotbed embed``, one at a time, so that a file may be larger than memory."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Any

from hotbed.errors import UsageError

__all__ = ["Record", "read_records", "read_texts"]

Record = dict[str, Any]
"""What is written beside a vector: the JSON object that was read, or ``{"text": …}``."""


def read_records(source: Path | None, texts: Iterable[str], field: str) -> Iterator[Record]:
    """Give the texts as records that hold each text under ``field``.

    Args:
        source: A ``.txt`` file (a text a line), a ``.jsonl`` file (an object a line), ``-`` for
            lines from standard input; None for ``texts``.
        texts: Texts from the command line.
        field: The name under which a ``.jsonl`` object holds its text.

    Raises:
        UsageError: The file cannot be read, or a line is not what it should be; it is named.
    """
    if source is None:
        return iter([{field: text} for text in texts])
    if str(source) == "-":
        return _lines(sys.stdin, field, "standard input")
    if not source.is_file():
        raise UsageError(f"{source} is not a file")
    if source.suffix not in (".txt", ".jsonl"):
        raise UsageError(f"{source}: the ending {source.suffix!r} is not .txt or .jsonl")
    return _file(source, field)


def read_texts(source: Path, field: str = "text") -> tuple[str, ...]:
    """Read all texts of a file at once, where there are few.

    Raises:
        UsageError: As ``read_records``; or there is no text in it.
    """
    texts = tuple(record[field] for record in read_records(source, (), field))
    if not texts:
        raise UsageError(f"{source} holds no text")
    return texts


def _file(source: Path, field: str) -> Iterator[Record]:
    with source.open(encoding="utf-8") as file:
        try:
            if source.suffix == ".txt":
                yield from _lines(file, field, str(source))
            else:
                yield from _objects(file, field, source)
        except UnicodeDecodeError as error:
            raise UsageError(f"{source} is not UTF-8 text: {error}") from error


def _lines(file: IO[str], field: str, name: str) -> Iterator[Record]:
    try:
        for line in file:
            yield {field: line.rstrip("\r\n")}
    except UnicodeDecodeError as error:
        raise UsageError(f"{name} is not UTF-8 text: {error}") from error


def _objects(file: IO[str], field: str, source: Path) -> Iterator[Record]:
    for number, line in enumerate(file, 1):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        except json.JSONDecodeError as error:
            raise UsageError(f"{source}, line {number}: not JSON: {error}") from error
        if not isinstance(record, dict):
            raise UsageError(f"{source}, line {number}: a {type(record).__name__}, not an object")
        if not isinstance(record.get(field), str):
            found = f"a {type(record[field]).__name__}" if field in record else "nothing"
            raise UsageError(
                f"{source}, line {number}: the field {field!r} holds {found}, not a string; the "
                f"fields are {', '.join(record) or 'none'} (choose one with --field)"
            )
        yield record
