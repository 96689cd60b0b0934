"""A folder that hotbed wrote, compared with what hotbed wrote into it."""

from __future__ import annotations

import warnings
from collections.abc import Collection

from hotbed.conversion.record import RECORD, read_digests
from hotbed.errors import CorruptFileError, HotbedWarning
from hotbed.models.digests import DigestCache
from hotbed.models.folder import ModelFolder
from hotbed.models.integrity import changes

__all__ = ["require_as_written"]


def require_as_written(folder: ModelFolder, exact: Collection[str], digests: DigestCache) -> None:
    """Refuse weights and tokens that changed since; say which settings did.

    The card and whatever else decides no vector may change. A folder without digests, which an
    older version or somebody else wrote, passes.

    Args:
        folder: The model.
        exact: The files of weights and tokens that are about to be opened.
        digests: Remembers digests of files.

    Raises:
        CorruptFileError: One of ``exact`` is not what was written.
    """
    written = read_digests(folder.path)
    if not written:
        return
    settings = {name for name in folder.files if name.endswith(".json") and name != RECORD}
    settings -= set(exact)
    found = changes(folder.path, written, {*exact, *settings}, digests)
    for change in found:
        if change.name in exact:
            raise CorruptFileError(
                f"{folder.path} is not as hotbed wrote it: {change}. Write it again, or copy "
                f"the file again; if it was changed on purpose, remove {RECORD}, where its digest "
                f"stands"
            )
    if found:
        names = ", ".join(change.name for change in found)
        warnings.warn(
            f"{folder.path}: {names} changed since hotbed wrote the folder, so what its fidelity "
            f"report says may not hold. If that was meant, remove {RECORD} to hear no more of it",
            HotbedWarning,
            stacklevel=2,
        )
