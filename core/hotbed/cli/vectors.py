"""Write vectors as they come: ``.npy``, ``.jsonl``, or JSON lines to standard output.

Where the work ends before its time, what is finished is kept beside the output under a name that
says that it is not all.
"""

from __future__ import annotations

import contextlib
import io
import itertools
import math
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, Protocol, TextIO

import numpy as np
from attrs import define
from numpy.typing import NDArray

from hotbed.cli.console import errors, json_line
from hotbed.cli.texts import Record
from hotbed.errors import UsageError
from hotbed.publishing import publish_file

__all__ = ["Writer", "open_writer"]


class Writer(Protocol):
    """Takes one row after another.

    Attributes:
        rows: How many it took.
    """

    rows: int

    def write(self, record: Record, vector: NDArray[Any]) -> None:
        """Write one row."""


@contextlib.contextmanager
def open_writer(
    path: Path | None, *, force: bool, output_field: str = "embedding"
) -> Iterator[Writer]:
    """Open an output; a file appears under its name only when every row is in it.

    Args:
        path: Where to write; None prints.
        force: Whether a file that exists is replaced.
        output_field: Under which name a JSON object holds the vector.

    Raises:
        UsageError: The file exists and ``force`` is not given, or its ending is not known.
    """
    if path is None:
        yield JsonLines(sys.stdout, output_field)
        return
    if path.suffix not in (".npy", ".jsonl"):
        raise UsageError(f"{path}: the ending {path.suffix!r} is not .npy or .jsonl")
    if path.is_dir():
        raise UsageError(f"{path} is a folder, and the output is a file")
    if (path.exists() or path.is_symlink()) and not force:
        raise UsageError(f"{path} exists; --force replaces it")
    with publish_file(path) as stage:
        try:
            with _writer(stage, path.suffix, output_field) as writer:
                yield writer
        except BaseException as error:
            _keep_partial(stage, path, writer, isinstance(error, KeyboardInterrupt))
            raise
        if not writer.rows and path.suffix == ".npy":
            raise UsageError("there are no texts to embed; nothing was written")


@contextlib.contextmanager
def _writer(stage: Path, suffix: str, output_field: str) -> Iterator[JsonLines | NumpyRows]:
    if suffix == ".jsonl":
        with stage.open("w", encoding="utf-8") as text:
            yield JsonLines(text, output_field)
        return
    with stage.open("wb") as binary:
        rows = NumpyRows(binary)
        try:
            yield rows
        finally:
            rows.finish()


def _keep_partial(
    stage: Path, path: Path, writer: JsonLines | NumpyRows, interrupted: bool
) -> None:
    """Give an unfinished output a name that says so, and tell it."""
    if not writer.rows:
        if interrupted:
            errors.print(f"no vector was finished, so there is no {path}")
        return
    numbers = itertools.count(2)
    partial = path.with_suffix(f".partial{path.suffix}")
    while partial.exists():
        partial = path.with_suffix(f".partial-{next(numbers)}{path.suffix}")
    try:
        stage.rename(partial)
    except OSError as error:
        errors.print(f"{writer.rows} vectors were finished, and are lost: {error}")
        return
    errors.print(f"the first {writer.rows} vectors are kept in {partial}")


@define
class JsonLines:
    """One JSON object a line: what was read, and the vector."""

    file: TextIO
    output_field: str = "embedding"
    rows: int = 0

    def write(self, record: Record, vector: NDArray[Any]) -> None:
        """Write one row.

        Raises:
            UsageError: The record is JSON that can be read and cannot be written.
        """
        whole = {**record, self.output_field: _numbers(vector)}
        try:
            line = json_line(whole, self.file)
        except (ValueError, RecursionError) as error:
            raise UsageError(
                f"row {self.rows + 1}: the object that was read cannot be written: {error}"
            ) from error
        self.file.write(line)
        self.rows += 1


def _numbers(vector: NDArray[Any]) -> list[Any]:
    numbers: list[Any] = vector.tolist()
    if np.isfinite(vector).all():
        return numbers
    return [number if math.isfinite(number) else None for number in numbers]


@define
class NumpyRows:
    """An ``.npy`` file whose number of rows is written last.

    numpy leaves room in the header for the first axis to grow (NEP 1; ``numpy.lib.format``), so
    the header keeps its length.
    """

    file: IO[bytes]
    rows: int = 0
    _row: NDArray[Any] | None = None

    def write(self, record: Record, vector: NDArray[Any]) -> None:
        """Write one row."""
        if self._row is None:
            self._row = vector
            self.file.write(self._header(vector))
        self.file.write(np.ascontiguousarray(vector).data)
        self.rows += 1

    def finish(self) -> None:
        """Write the header once more, with the number of rows; nothing where there is none."""
        if self._row is not None:
            self.file.seek(0)
            self.file.write(self._header(self._row))

    def _header(self, row: NDArray[Any]) -> bytes:
        buffer = io.BytesIO()
        np.lib.format.write_array_header_1_0(
            buffer,
            {
                "descr": np.lib.format.dtype_to_descr(row.dtype),
                "fortran_order": False,
                "shape": (self.rows, *row.shape),
            },
        )
        return buffer.getvalue()
