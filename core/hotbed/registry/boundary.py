"""What the file system refuses, as the registry's own error: the last line before a caller."""

from __future__ import annotations

import contextlib
import errno
import functools
import inspect
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from hotbed.errors import HotbedError, RegistryUnavailableError, UsageError

__all__ = ["os_errors_translated", "translate_os_errors"]

T = TypeVar("T", bound=type)

_ADVICE = {
    errno.ENOSPC: "the disk is full: `hotbed registry gc` and `hotbed cache prune` free space",
    errno.EDQUOT: "the quota is used up: `hotbed registry gc` and `hotbed cache prune` free space",
    errno.EFBIG: "this process or file system takes no file of that size",
    errno.EROFS: "it is mounted for reading only",
    errno.EACCES: "this user may not do so",
    errno.EPERM: "this user may not do so",
}


def translate_os_errors(cls: T) -> T:
    """Have every public method of a class raise ``RegistryUnavailableError`` for an OSError."""
    for name, member in list(vars(cls).items()):
        if inspect.isfunction(member) and not name.startswith("_"):
            setattr(cls, name, _translating(member))
    return cls


@contextlib.contextmanager
def os_errors_translated(place: str) -> Iterator[None]:
    """Raise what the file system refuses, and paths that are none, as the registry's errors."""
    try:
        yield
    except HotbedError:
        raise
    except OSError as error:
        raise RegistryUnavailableError(_said(place, error)) from error
    except (ValueError, RuntimeError) as error:  # a NUL in a path, links in a circle, no home
        raise UsageError(f"{place!r:.200} cannot be a registry: {error}") from error


def _translating(method: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(method)
    def call(self: Any, *args: Any, **options: Any) -> Any:
        try:
            return method(self, *args, **options)
        except OSError as error:
            raise RegistryUnavailableError(_said(self.store.place, error)) from error

    return call


def _said(place: str, error: OSError) -> str:
    file = f" {error.filename}" if error.filename is not None else ""
    advice = _ADVICE.get(error.errno or 0, "")
    ending = f"; {advice}" if advice else ""
    return f"the registry {place} cannot use{file}: {error.strerror or error}{ending}"
