"""Links in a model folder stay inside it, or inside the hub's cache of the same model.

Somebody else made the folder: a link may name any file of this machine, whose content would be
read as configuration, or copied into what is published. A link that leads nowhere is not an absent
file: without ``modules.json`` a model has other vectors.
"""

from __future__ import annotations

from pathlib import Path

from hotbed.errors import CorruptFileError, UnsupportedModelError
from hotbed.models.layout import is_metadata
from hotbed.models.walking import walk

__all__ = ["contained", "require_contained"]


def require_contained(folder: Path) -> None:
    """Check every link below a folder.

    Folders whose names begin with a dot are passed over: nothing of a model is read from them.

    Raises:
        UnsupportedModelError: A link leads out, or there are far too many files for a model.
        CorruptFileError: A link leads nowhere, or in a circle.
    """
    allowed = _allowed(folder)
    for path in walk(folder):
        if path.is_symlink():
            _check(folder, path, allowed)


def contained(folder: Path, name: str) -> Path:
    """The path of a file of a model folder that is about to be opened or copied.

    Raises:
        UnsupportedModelError: It lies elsewhere, by its name or by a link.
        CorruptFileError: It is a link that leads nowhere, or in a circle.
    """
    path = folder / name
    _check(folder, path, _allowed(folder))
    return path


def _allowed(folder: Path) -> tuple[Path, ...]:
    """The folder itself; and of a snapshot of the hub's, the blobs of the same repository."""
    real = folder.resolve()
    repository = real.parent.parent
    is_snapshot = real.parent.name == "snapshots" and repository.name.startswith("models--")
    return (real, repository / "blobs") if is_snapshot else (real,)


def _check(folder: Path, path: Path, allowed: tuple[Path, ...]) -> None:
    name = path.relative_to(folder).as_posix()
    try:
        target = path.resolve()
        there = path.exists()
    except (OSError, RuntimeError) as error:  # RuntimeError before Python 3.13
        raise CorruptFileError(
            f"{folder}: {name} is a link that leads in a circle ({error}); put the file in its "
            f"place"
        ) from error
    if not any(target.is_relative_to(place) for place in allowed):
        raise UnsupportedModelError(
            f"{folder}: {name} is a link to {target}, outside the model folder; hotbed reads and "
            f"copies nothing from there. Where that is meant, put the file itself in its place"
        )
    fetchable = len(allowed) > 1 and not is_metadata(name)  # the hub's cache keeps such links
    if path.is_symlink() and not there and not fetchable:
        raise CorruptFileError(
            f"{folder}: {name} is a link to {target}, which is not there; put the file in its "
            f"place, or download the model again"
        )
