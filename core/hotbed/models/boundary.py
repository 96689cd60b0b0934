"""The boundary of reading: whatever escapes from inside leaves as an error of hotbed's own."""

from __future__ import annotations

import contextlib
import errno
import functools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar, cast

from hotbed.errors import CorruptFileError, HotbedError, ModelError
from hotbed.models.damage import reason_of

__all__ = ["guarded", "is_foreign", "reading"]

Function = TypeVar("Function", bound=Callable[..., Any])


_OF_THE_DISK = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EFBIG})


def is_foreign(error: BaseException) -> bool:
    """Whether an exception is none of ours, and none that ends a program on purpose."""
    if isinstance(error, Exception):
        return not isinstance(error, HotbedError)
    return type(error).__module__ == "pyo3_runtime"  # a panic in Rust code


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
        OSError: The disk is full, or takes no more; whoever writes says so, for the file is sound.
    """
    try:
        yield
    except MemoryError as error:
        raise ModelError(
            f"{path} cannot {what}: there is not enough memory for the sizes that it states "
            f"({reason_of(error)})"
        ) from error
    except RecursionError as error:
        raise CorruptFileError(f"{path} cannot {what}: it is nested too deeply") from error
    except BaseException as error:
        if not is_foreign(error) or _is_of_the_disk(error):
            raise
        raise CorruptFileError(
            f"{path} cannot {what}: {type(error).__name__}: {reason_of(error)}"
        ) from error


def _is_of_the_disk(error: BaseException) -> bool:
    return isinstance(error, OSError) and error.errno in _OF_THE_DISK


def guarded(what: str) -> Callable[[Function], Function]:
    """Put the boundary around a function whose first argument is ``model``.

    Args:
        what: What cannot be done with it.
    """

    def guard(function: Function) -> Function:
        @functools.wraps(function)
        def call(*args: Any, **kwargs: Any) -> Any:
            model = args[0] if args else kwargs.get("model")
            try:
                with reading(str(model), what):
                    return function(*args, **kwargs)
            except OSError as error:
                raise HotbedError(f"{model} cannot {what}: {reason_of(error)}") from error

        return cast("Function", call)

    return guard
