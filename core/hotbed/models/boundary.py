"""The boundary of reading: whatever escapes from inside leaves as an error of hotbed's own."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from hotbed.errors import CorruptFileError, HotbedError, ModelError
from hotbed.models.damage import reason_of

__all__ = ["reading"]

_PASS = (HotbedError, KeyboardInterrupt, SystemExit, GeneratorExit)


@contextlib.contextmanager
def reading(path: Path | str, what: str = "be read") -> Iterator[None]:
    """Turn every exception of the block into a ``ModelError`` that names the file or folder.

    Checks know most mistakes and name them better; this stands behind them. It catches
    ``BaseException``, because a panic in Rust code arrives as one.

    Args:
        path: The file or folder that is being read.
        what: What cannot be done with it: ``be read``, ``be built into a graph``.

    Raises:
        ModelError: Memory ran out.
        CorruptFileError: Something else escaped; it is the cause.
    """
    try:
        yield
    except _PASS:
        raise
    except MemoryError as error:
        raise ModelError(
            f"{path} cannot {what}: there is not enough memory for the sizes that it states "
            f"({reason_of(error)})"
        ) from error
    except RecursionError as error:
        raise CorruptFileError(f"{path} cannot {what}: it is nested too deeply") from error
    except BaseException as error:
        raise CorruptFileError(
            f"{path} cannot {what}: {type(error).__name__}: {reason_of(error)}"
        ) from error
