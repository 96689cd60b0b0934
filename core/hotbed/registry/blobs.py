"""Files by the sha256 of their bytes: written once, shared by versions, never changed.

What is there under its name is whole: bytes are written under another name, flushed, renamed, and
the folder is flushed. Two writers of one blob write the same bytes, so whose rename comes last is
all one, and no lock is needed.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Protocol

from attrs import field, frozen

from hotbed.errors import CorruptFileError, MissingFileError, UsageError
from hotbed.models.jsonfile import require_regular
from hotbed.publishing import sync
from hotbed.registry.objects import LocalObjects, Objects

__all__ = ["SMALL", "Blob", "Blobs", "LocalBlobs", "require_digest"]

_CHUNK = 1 << 20
_FRESH = 60.0
"""Seconds within which a blob that is wanted again is not marked anew."""

SMALL = 8 << 20
"""Bytes up to which a file is read whole: if it is there already, nothing is written."""


@frozen
class Blob:
    """A blob that is there.

    Attributes:
        digest: Its name.
        size: Bytes.
        wanted: When a writer last wanted it stored, in seconds since 1970.
    """

    digest: str
    size: int
    wanted: float


class Blobs(Protocol):
    """A store of blobs. A protocol, because other file systems publish in other ways."""

    @property
    def place(self) -> str:
        """Where it is, for messages."""
        ...

    @property
    def objects(self) -> Objects:
        """Small files beside the blobs."""
        ...

    def put_file(self, path: Path) -> tuple[str, int]:
        """Store a file; gives its digest and its size."""
        ...

    def put_stream(self, source: IO[bytes]) -> tuple[str, int]:
        """Store what a file gives; the same."""
        ...

    def put(self, content: bytes) -> str:
        """Store some bytes; gives their digest."""
        ...

    def get(self, digest: str) -> bytes:
        """The bytes of a blob, checked against its name."""
        ...

    def open(self, digest: str) -> IO[bytes]:
        """Open a blob for reading; what is read is not checked."""
        ...

    def local(self, digest: str) -> Path | None:
        """Where a blob lies on this machine; None where it does not."""
        ...

    def size(self, digest: str) -> int | None:
        """Bytes of a blob; None where it is not there."""
        ...

    def remove(self, digest: str) -> None:
        """Remove a blob; nothing where it is not there."""
        ...

    def tidy(self, older_than: float, *, dry: bool = False) -> int:
        """Remove, or only count, what writers left unfinished so many seconds ago."""
        ...

    def __iter__(self) -> Iterator[Blob]:
        """Every blob."""
        ...


@frozen
class LocalBlobs:
    """Blobs in a folder: ``sha256/ab/abcdef…``.

    Attributes:
        root: The folder.
    """

    root: Path
    _lasting: set[tuple[str, int, int]] = field(factory=set, eq=False, repr=False, init=False)
    """Blobs that this process knows to last through a power cut."""

    @property
    def place(self) -> str:
        """The folder."""
        return str(self.root)

    @property
    def objects(self) -> LocalObjects:
        """Small files beside the blobs."""
        return LocalObjects(self.root)

    def put_file(self, path: Path) -> tuple[str, int]:
        """Store a file."""
        with path.open("rb") as source:
            if os.fstat(source.fileno()).st_size > SMALL:
                return self.put_stream(source)
            content = source.read()
        return self.put(content), len(content)

    def put_stream(self, source: IO[bytes]) -> tuple[str, int]:
        """Store what a file gives: one pass reads, hashes and writes; what is there stays."""
        stage, hashing, size = self._stage(), hashlib.sha256(), 0
        try:
            with stage.open("wb") as file:
                while chunk := source.read(_CHUNK):
                    hashing.update(chunk)
                    file.write(chunk)
                    size += len(chunk)
                digest = hashing.hexdigest()
                target = self.path(digest)
                if self._there(target, size):
                    return digest, size
                _flush(file)
            self._publish(stage, target)
        finally:
            stage.unlink(missing_ok=True)
        return digest, size

    def put(self, content: bytes) -> str:
        """Store some bytes."""
        digest = hashlib.sha256(content).hexdigest()
        target = self.path(digest)
        if not self._there(target, len(content)):
            stage = self._stage()
            try:
                with stage.open("wb") as file:
                    file.write(content)
                    _flush(file)
                self._publish(stage, target)
            finally:
                stage.unlink(missing_ok=True)
        return digest

    def get(self, digest: str) -> bytes:
        """The bytes of a blob.

        Raises:
            MissingFileError, CorruptFileError: It is not there, or is not what its name says.
        """
        with self.open(digest) as file:
            content = file.read()
        found = hashlib.sha256(content).hexdigest()
        if found != digest:
            raise CorruptFileError(
                f"{self.path(digest)}: expected sha256 {digest}, and its {len(content):,} bytes "
                f"have {found}"
            )
        return content

    def open(self, digest: str) -> IO[bytes]:
        """Open a blob.

        Raises:
            MissingFileError: It is not there.
            CorruptFileError: Something else than a file has its name.
        """
        path = self.path(digest)
        try:
            require_regular(path)
            return path.open("rb")
        except (MissingFileError, FileNotFoundError) as error:
            raise MissingFileError(f"the blob {digest} is not in {self.root}") from error

    def local(self, digest: str) -> Path | None:
        """Where a blob lies."""
        path = self.path(digest)
        return path if path.exists() else None

    def size(self, digest: str) -> int | None:
        """Bytes of a blob."""
        try:
            return _stat(self.path(digest)).st_size
        except FileNotFoundError:
            return None

    def remove(self, digest: str) -> None:
        """Remove a blob."""
        self.path(digest).unlink(missing_ok=True)

    def __iter__(self) -> Iterator[Blob]:
        """Every blob."""
        for folder in sorted((self.root / "sha256").glob("??")):
            for path in sorted(folder.iterdir()):
                with contextlib.suppress(FileNotFoundError):  # collected just now
                    stat = _stat(path)
                    yield Blob(path.name, stat.st_size, stat.st_ctime)

    def tidy(self, older_than: float, *, dry: bool = False) -> int:
        """Remove, or only count, what writers left unfinished so many seconds ago."""
        count = 0
        stages = list((self.root / "stages").glob("*"))
        now = self.objects.clock() if stages and not dry else time.time()
        for stage in stages:
            with contextlib.suppress(FileNotFoundError):  # its writer finished just now
                if now - stage.stat().st_mtime > older_than:
                    count += 1
                    if not dry:
                        stage.unlink()
        return count

    def path(self, digest: str) -> Path:
        """Where a blob of that digest lies or would lie.

        Raises:
            UsageError: It is no sha256.
        """
        require_digest(digest)
        return self.root / "sha256" / digest[:2] / digest

    def _there(self, target: Path, size: int) -> bool:
        """Whether a blob is there already, whole, and will be after a power cut."""
        try:
            stat = target.stat()
        except FileNotFoundError:
            return False
        if stat.st_size != size:
            return False
        if time.time() - stat.st_ctime > _FRESH:
            with contextlib.suppress(OSError):  # somebody else's, in a store that several share
                target.chmod(0o444)  # sets its ctime, not its mtime: wanted again, and not changed
        seen = (target.name, stat.st_ino, stat.st_mtime_ns)
        if seen not in self._lasting:
            sync(target.parent)  # whoever renamed it may not have come so far
            self._lasting.add(seen)
        return True

    def _stage(self) -> Path:
        folder = self.root / "stages"
        folder.mkdir(parents=True, exist_ok=True)
        return folder / f"{os.getpid()}-{uuid.uuid4().hex}"

    def _publish(self, stage: Path, target: Path) -> None:
        stage.chmod(0o444)
        if not target.parent.is_dir():
            target.parent.mkdir(parents=True, exist_ok=True)
            for folder in (target.parent.parent, self.root, self.root.parent):
                sync(folder)  # each may have been made just now
        stage.replace(target)
        sync(target.parent)


def require_digest(digest: str) -> None:
    """Refuse what is no digest, before it becomes a path.

    Raises:
        UsageError: It is none.
    """
    if len(digest) != 64 or not set(digest) <= set("0123456789abcdef"):
        raise UsageError(f"{digest!r:.100} is no sha256 in hexadecimal")


def _flush(file: IO[bytes]) -> None:
    file.flush()
    os.fsync(file.fileno())


def _stat(path: Path) -> os.stat_result:
    try:
        return path.stat()
    except OSError as error:
        if error.errno != errno.ELOOP:
            raise
        return path.lstat()  # of a link in a circle; who opens it is told
