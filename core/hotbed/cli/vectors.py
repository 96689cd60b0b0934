"""Write vectors as they come: ``.npy``, ``.jsonl``, or JSON lines to standard output."""

from __future__ import annotations

import contextlib
import io
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, Protocol

import numpy as np
from attrs import define
from numpy.typing import NDArray

from hotbed.cli.texts import Record
from hotbed.errors import UsageError
from hotbed.publishing import publish_file

__all__ = ["Writer", "open_writer"]


class Writer(Protocol):
    """Takes one row after another."""

    def write(self, record: Record, vector: NDArray[Any]) -> None:
        """Write one row."""


@contextlib.contextmanager
def open_writer(path: Path | None, *, force: bool) -> Iterator[Writer]:
    """Open an output; a file appears under its name only when every row is in it.

    Raises:
        UsageError: The file exists and ``force`` is not given, or its ending is not known.
    """
    if path is None:
        yield JsonLines(sys.stdout)
        return
    if path.suffix not in (".npy", ".jsonl"):
        raise UsageError(f"{path}: the ending {path.suffix!r} is not .npy or .jsonl")
    if path.exists() and not force:
        raise UsageError(f"{path} exists; --force replaces it")
    with publish_file(path) as stage:
        if path.suffix == ".jsonl":
            with stage.open("w", encoding="utf-8") as text:
                yield JsonLines(text)
        else:
            with stage.open("wb") as binary:
                writer = NumpyRows(binary)
                yield writer
                writer.finish()


@define
class JsonLines:
    """One JSON object a line: what was read, and ``embedding``."""

    file: IO[str]

    def write(self, record: Record, vector: NDArray[Any]) -> None:
        """Write one row."""
        json.dump({**record, "embedding": vector.tolist()}, self.file, ensure_ascii=False)
        self.file.write("\n")


@define
class NumpyRows:
    """An ``.npy`` file whose number of rows is written last.

    numpy leaves room in the header for the first axis to grow (NEP 1; ``numpy.lib.format``), so
    the header keeps its length.
    """

    file: IO[bytes]
    _rows: int = 0
    _row: NDArray[Any] | None = None

    def write(self, record: Record, vector: NDArray[Any]) -> None:
        """Write one row."""
        if self._row is None:
            self._row = vector
            self.file.write(self._header(vector))
        self.file.write(np.ascontiguousarray(vector).data)
        self._rows += 1

    def finish(self) -> None:
        """Write the header once more, with the number of rows.

        Raises:
            UsageError: There was no row, so the file would have no width.
        """
        if self._row is None:
            raise UsageError("there are no texts to embed; nothing was written")
        self.file.seek(0)
        self.file.write(self._header(self._row))

    def _header(self, row: NDArray[Any]) -> bytes:
        buffer = io.BytesIO()
        np.lib.format.write_array_header_1_0(
            buffer,
            {
                "descr": np.lib.format.dtype_to_descr(row.dtype),
                "fortran_order": False,
                "shape": (self._rows, *row.shape),
            },
        )
        return buffer.getvalue()
