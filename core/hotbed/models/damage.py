"""What a file is that is not what its name says, in words that help."""

from __future__ import annotations

from pathlib import Path

__all__ = ["is_lfs_pointer", "lfs_advice", "looks_like_pointer", "reason_of"]

_POINTER = b"version https://git-lfs.github.com/spec/"
_MAX_POINTER = 1024  # the specification's limit


def is_lfs_pointer(content: bytes) -> bool:
    """Whether these are the bytes that git-lfs leaves where it has not fetched a file."""
    return content.startswith(_POINTER)


def looks_like_pointer(path: Path) -> bool:
    """Whether a file is such a pointer; False where it cannot be read."""
    try:
        if not path.is_file() or path.stat().st_size > _MAX_POINTER:
            return False
        with path.open("rb") as file:
            return is_lfs_pointer(file.read(len(_POINTER)))
    except OSError:
        return False


def lfs_advice(path: Path) -> str:
    """What to do about a pointer."""
    return (
        f"{path} is a git-lfs pointer: the repository was cloned without git-lfs, and the file "
        f"itself was never downloaded. `git lfs install && git lfs pull` in the folder fetches it"
    )


def reason_of(error: BaseException) -> str:
    """What an exception says, in one short line."""
    said = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return str(said).strip().splitlines()[0][:300]
