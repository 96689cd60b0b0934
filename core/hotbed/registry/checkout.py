"""A version as a model folder on this machine, every byte of it checked.

The folder is named by its manifest, so it never changes either. Files are hard links to the blobs
where the file system has them, else copies. Digests of files are remembered by inode, size and
time of change; ``paranoid`` reads them anew, which is what finds a byte that a disk has lost in
silence.
"""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
import tempfile
import time
import uuid
from pathlib import Path

from sqlalchemy import bindparam, select

from hotbed.errors import CorruptFileError, MissingFileError
from hotbed.models.digests import DigestCache, sha256
from hotbed.publishing import STAGE_PREFIX, is_abandoned, publish_file, staging
from hotbed.registry.manifest import Manifest
from hotbed.registry.manifest import sha256 as digest_of
from hotbed.registry.placing import cannot_write, places
from hotbed.registry.registered import Registered
from hotbed.registry.store import Store
from hotbed.registry.tables import manifests

__all__ = ["checkout", "prune_checkouts", "read_manifest"]

_MEND = "`hotbed registry doctor --repair` mends it from a copy"

_MANIFEST = select(manifests.c.content).where(manifests.c.digest == bindparam("digest"))

_log = logging.getLogger("hotbed.registry")


def read_manifest(store: Store, found: Registered) -> Manifest:
    """The manifest of a version, checked against its digest.

    Raises:
        CorruptFileError, MissingFileError: It is not what was registered; model and version are
            named.
    """
    with store.database.reading() as connection:
        content = connection.execute(_MANIFEST, {"digest": found.manifest}).scalar()
    if content is None:
        raise MissingFileError(f"{found}: its manifest {found.manifest} is gone; {_MEND}")
    if (digest := digest_of(content.encode())) != found.manifest:
        raise CorruptFileError(
            f"{found}: its manifest is damaged: expected sha256 {found.manifest}, and what is "
            f"there has {digest}. {_MEND}"
        )
    return Manifest.decode(content.encode())


def checkout(
    store: Store, found: Registered, cache: Path, digests: DigestCache, *, paranoid: bool = False
) -> Path:
    """Give a folder that holds the version.

    Args:
        store: The registry.
        found: The version.
        cache: Where folders are kept.
        digests: Remembers digests of files.
        paranoid: Whether to read every byte again.

    Raises:
        CorruptFileError, MissingFileError: A file is not what was registered; model, version, file,
            expected and found digest are named. Nothing was loaded.
    """
    manifest = _manifest(store, found, cache)
    refused: list[OSError] = []
    for place in places(cache):
        folder = place / found.manifest[:2] / found.manifest
        try:
            if not _is_intact(found, manifest, folder, digests, paranoid):
                _place_all(store, found, manifest, folder)
                _require_intact(found, manifest, folder, digests, paranoid)
        except OSError as error:
            if not cannot_write(error):
                raise
            _log.info("%s cannot be placed in %s: %s", found, place, error)
            refused.append(error)
        else:
            return folder
    raise refused[0]


def _is_intact(
    found: Registered, manifest: Manifest, folder: Path, digests: DigestCache, paranoid: bool
) -> bool:
    """Whether a version lies there whole; what does not is put away."""
    if not folder.is_dir():
        return False
    try:
        _require_intact(found, manifest, folder, digests, paranoid)
    except (CorruptFileError, MissingFileError) as error:
        # The folder is a copy; whether the registry's own files are sound, the next one tells.
        _log.warning("%s; the folder is made anew from the registry", error)
        _put_away(folder)
        return False
    with contextlib.suppress(OSError):  # an image that is read-only
        os.utime(folder)  # used now, for whoever prunes
    return True


def _place_all(store: Store, found: Registered, manifest: Manifest, folder: Path) -> None:
    with staging(folder) as stage:
        for entry in manifest.files:
            target = stage / entry.path
            target.parent.mkdir(parents=True, exist_ok=True)
            _place(store, found, entry.path, entry.sha256, target)


def _manifest(store: Store, found: Registered, cache: Path) -> Manifest:
    """The manifest, from this machine where it was read before: it never changes."""
    path = _manifest_path(cache, found.manifest)
    with contextlib.suppress(OSError):
        content = path.read_bytes()
        if digest_of(content) == found.manifest:
            return Manifest.decode(content)
    manifest = read_manifest(store, found)
    try:
        with publish_file(path) as stage:
            stage.write_bytes(manifest.encode())
    except OSError as error:
        _log.debug("the manifest of %s is not kept here: %s", found, error)
    return manifest


def _manifest_path(cache: Path, digest: str) -> Path:
    return cache / "manifests" / f"{digest}.json"


def prune_checkouts(cache: Path, older_than: float | None = None) -> list[Path]:
    """Remove versions that nobody checked out for so many seconds (None: all); gives their folders.

    The next checkout places them again. Who has their files open keeps them.
    """
    now, gone = 0.0 if older_than is None else _clock(cache), []
    for folder in sorted(cache.glob("??/*")):
        if folder.name.startswith(STAGE_PREFIX) and not is_abandoned(folder):
            continue  # another process is placing a version just now
        with contextlib.suppress(FileNotFoundError):  # another process was quicker
            if older_than is None or now - folder.stat().st_mtime > older_than:
                _put_away(folder)
                _manifest_path(cache, folder.name).unlink(missing_ok=True)
                gone.append(folder)
    return gone


def _clock(cache: Path) -> float:
    """The time that a file gets which is made there now: a server's clock may go otherwise."""
    with contextlib.suppress(OSError), tempfile.NamedTemporaryFile(dir=cache) as made:
        return Path(made.name).stat().st_mtime
    return time.time()


def _put_away(folder: Path) -> None:
    """Remove a folder under another name: who has its files open keeps them."""
    old = folder.with_name(f"{folder.name}.{uuid.uuid4().hex[:8]}.old")
    with contextlib.suppress(FileNotFoundError):  # another process did so just now
        folder.rename(old)
    shutil.rmtree(old, ignore_errors=True)


def _place(store: Store, found: Registered, path: str, digest: str, target: Path) -> None:
    local = store.blobs.local(digest)
    if local is not None:
        try:
            os.link(local, target)
        except OSError:  # another file system, or one without links
            shutil.copyfile(local, target)
        return
    try:
        with store.blobs.open(digest) as source, target.open("wb") as file:
            shutil.copyfileobj(source, file)
    except MissingFileError as error:
        raise MissingFileError(f"{found}: {path} is gone: {error}") from error


def _require_intact(
    found: Registered, manifest: Manifest, folder: Path, digests: DigestCache, paranoid: bool
) -> None:
    paths = {entry.path: folder / entry.path for entry in manifest.files}
    missing = [name for name, path in paths.items() if not path.is_file()]
    if missing:
        raise MissingFileError(f"{found}: {', '.join(missing)} is not in {folder}")
    short = [e for e in manifest.files if paths[e.path].stat().st_size != e.size]
    for entry in short:
        size = paths[entry.path].stat().st_size
        raise CorruptFileError(
            f"{found}: {entry.path} is damaged: it has {size:,} bytes instead of {entry.size:,}; "
            f"expected sha256 {entry.sha256}, found {sha256(paths[entry.path])} "
            f"in {paths[entry.path]}. {_MEND}"
        )
    known = {} if paranoid else digests.files(list(paths.values()))
    for entry in manifest.files:
        path = paths[entry.path]
        digest = sha256(path) if paranoid else known[path]
        if digest != entry.sha256:
            raise CorruptFileError(
                f"{found}: {entry.path} is damaged: expected sha256 {entry.sha256}, found {digest} "
                f"in {path}. {_MEND}"
            )
