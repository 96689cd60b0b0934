"""Read texts for ``hotbed embed``, one at a time, so that a file may be larger than memory.

Files and standard input are UTF-8, whatever the locale says; a byte order mark is dropped. Bytes
that are not UTF-8 are read as lone surrogates (PEP 383), so that the line they stand in is known.
A line has a bound, because a file that is no text may have no line break at all.
"""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Any

from hotbed.errors import UsageError
from hotbed.inference.invalid_text import describe_surrogate, find_surrogate, replace_surrogates

__all__ = ["MAX_LINE", "Record", "count_lines", "read_records", "read_texts"]

Record = dict[str, Any]
"""What is written beside a vector: the JSON object that was read, or ``{"text": …}``."""

MAX_LINE = 64 * 2**20
"""Characters of a line; a model reads some thousands, and one object may hold many texts."""

_MAX_READ = 2**30
"""Characters of all texts that are read at once; measurements take some hundreds of texts."""

_PER_TEXT = 64
"""Characters' worth of memory that a text takes besides its own."""

_STANDARD_INPUT = "standard input"

_REPLACE = "--on-invalid-text replace puts U+FFFD there"


def read_records(
    source: Path | None,
    texts: Iterable[str],
    field: str,
    *,
    on_invalid_text: str = "error",
    reserved: str | None = None,
) -> Iterator[Record]:
    """Give the texts as records that hold each text under ``field``.

    Args:
        source: A ``.txt`` file (a text a line), a ``.jsonl`` file (an object a line), ``-`` for
            lines from standard input; None for ``texts``.
        texts: Texts from the command line.
        field: The name under which a ``.jsonl`` object holds its text.
        on_invalid_text: ``error``, or ``replace``, which puts U+FFFD where a text is not Unicode.
        reserved: A field that an object may not have, because the vector is written there.

    Raises:
        UsageError: The file cannot be read, or a line is not what it should be; it is named.
    """
    if source is None:
        named = [(f"text {number}", {field: text}) for number, text in enumerate(texts, 1)]
        return _valid(iter(named), field, on_invalid_text)
    if str(source) == "-":
        return _valid(_lines(_standard_input(), field, _STANDARD_INPUT), field, on_invalid_text)
    if not source.is_file():
        raise UsageError(f"{source} is not a file")
    if source.suffix not in (".txt", ".jsonl"):
        raise UsageError(f"{source}: the ending {source.suffix!r} is not .txt or .jsonl")
    return _valid(_file(source, field, reserved, on_invalid_text), field, on_invalid_text)


def read_texts(source: Path, field: str = "text") -> tuple[str, ...]:
    """Read all texts of a file at once, where there are few.

    Raises:
        UsageError: As ``read_records``; or there is no text in it, or far too much.
    """
    texts: list[str] = []
    size = 0
    for record in read_records(source, (), field):
        texts.append(record[field])
        size += len(texts[-1]) + _PER_TEXT
        if size > _MAX_READ:
            raise UsageError(
                f"{_name(source)} holds more texts than are read at once: the first "
                f"{len(texts):,} reach the limit of {_MAX_READ:,} characters (each text counts as "
                f"{_PER_TEXT} more); some thousands of texts are enough"
            )
    if not texts:
        raise UsageError(f"{_name(source)} holds no text")
    return tuple(texts)


def _name(source: Path) -> str:
    return _STANDARD_INPUT if str(source) == "-" else str(source)


def count_lines(source: Path | None) -> int | None:
    """Lines of a file, for a progress bar; None where they cannot be known before."""
    if source is None or not source.is_file():
        return None
    with source.open("rb") as file:
        blocks = iter(lambda: file.read(1 << 20), b"")
        return sum(block.count(b"\n") for block in blocks) + 1


def _standard_input() -> IO[str]:
    if sys.stdin is None:
        raise UsageError("standard input is closed; give texts as arguments, or --input FILE")
    binary = getattr(sys.stdin, "buffer", None)
    if binary is None:  # somebody put a file of text in its place
        return sys.stdin
    # The locale's encoding is that of a terminal; what is piped in is data.
    return io.TextIOWrapper(binary, encoding="utf-8-sig", errors="surrogateescape")


def _file(source: Path, field: str, reserved: str | None, on_invalid: str) -> Iterator[Any]:
    with source.open(encoding="utf-8-sig", errors="surrogateescape") as file:
        if source.suffix == ".txt":
            yield from _lines(file, field, str(source))
        else:
            yield from _objects(file, field, source, reserved, on_invalid)


def _lines(file: IO[str], field: str, name: str) -> Iterator[tuple[str, Record]]:
    for number, line in _numbered(file, name):
        yield f"{name}, line {number}", {field: line.rstrip("\r\n")}


def _numbered(file: IO[str], name: str) -> Iterator[tuple[int, str]]:
    """Each line with its number; never more in memory than a line may have."""
    lines = iter(lambda: file.readline(MAX_LINE + 1), "")
    for number, line in enumerate(lines, 1):
        if len(line) > MAX_LINE and not line.endswith("\n"):
            raise UsageError(
                f"{name}, line {number}: the line has more than {MAX_LINE:,} characters, which is "
                f"the limit; a line is one text or one JSON object, so put line breaks between them"
            )
        yield number, line


def _valid(
    records: Iterable[tuple[str, Record]], field: str, on_invalid_text: str
) -> Iterator[Record]:
    """Refuse what is not Unicode, or replace it."""
    for where, record in records:
        text = record[field]
        if (at := find_surrogate(text)) is not None:
            if on_invalid_text == "error":
                raise UsageError(f"{where}: {describe_surrogate(text, at)}; {_REPLACE}")
            record[field] = replace_surrogates(text)
        yield record


def _objects(
    file: IO[str], field: str, source: Path, reserved: str | None, on_invalid: str
) -> Iterator[tuple[str, Record]]:
    for number, line in _numbered(file, str(source)):
        if not line.strip():
            continue
        where = f"{source}, line {number}"
        # Bytes that are not UTF-8, wherever in the object; escapes are looked at in the text alone.
        if (at := find_surrogate(line)) is not None:
            if on_invalid == "error":
                raise UsageError(f"{where}: {describe_surrogate(line, at)}; {_REPLACE}")
            line = replace_surrogates(line)
        record = _parsed(line, where)
        if not isinstance(record.get(field), str):
            found = f"a {type(record[field]).__name__}" if field in record else "nothing"
            names = ", ".join(record) or "none"
            raise UsageError(
                f"{where}: the field {field!r} holds {found}, not a string; the fields are "
                f"{names:.500} (choose one with --field)"
            )
        if reserved is not None and reserved in record:
            raise UsageError(
                f"{where}: the object has a field {reserved!r} of its own, which the vector would "
                f"replace; name another with --output-field"
            )
        yield where, record


def _parsed(line: str, where: str) -> Record:
    try:
        record = json.loads(line, parse_constant=_no_constant)
    except RecursionError as error:
        raise UsageError(f"{where}: not JSON that can be read: nested too deep") from error
    except ValueError as error:  # a number of thousands of digits is one too
        raise UsageError(f"{where}: not JSON: {error}") from error
    if not isinstance(record, dict):
        raise UsageError(f"{where}: a {type(record).__name__}, not an object")
    return record


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not a number of JSON")
