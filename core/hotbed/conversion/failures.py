"""What the disk says, told as a conversion's error."""

from __future__ import annotations

import contextlib
import errno
from collections.abc import Iterator
from pathlib import Path

from hotbed.errors import BackendError, ConversionError
from hotbed.models.folder import ModelFolder

__all__ = ["told_in_our_words"]


_BARRED = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOENT, errno.ENOTDIR)


@contextlib.contextmanager
def told_in_our_words(folder: ModelFolder, out: Path) -> Iterator[None]:
    """Turn what the disk says into a ConversionError that names the folder."""
    try:
        yield
    except (OSError, BackendError) as error:
        # A backend's own failure carries what the disk said as its cause.
        cause = error.__cause__ if isinstance(error, BackendError) else error
        if not isinstance(cause, OSError):
            raise
        why = "the disk is full" if cause.errno == errno.ENOSPC else f"{cause}"
        if cause.errno in _BARRED:
            why += ", so another place is needed: HOTBED_HOME names one"
        raise ConversionError(
            f"{folder.name} was not converted into {out}: {why}; nothing was left there"
        ) from error
