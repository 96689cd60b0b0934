"""Blobs on any file system that fsspec reaches: S3 and what speaks like it, and many others.

An object store takes an object whole or not at all, and with a condition: nobody replaces a blob
that is there. Elsewhere a blob is written under another name and renamed. The database's commit
publishes, as on a local disk.
"""

from __future__ import annotations

import contextlib
import datetime
import hashlib
import io
import tempfile
import time
import uuid
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import IO, Any, cast

from attrs import frozen

from hotbed.errors import (
    CorruptFileError,
    HotbedError,
    MissingFileError,
    RegistryError,
    RegistryUnavailableError,
    UsageError,
)
from hotbed.registry.blobs import SMALL, Blob, require_digest
from hotbed.registry.objects import RemoteObjects

__all__ = ["RemoteBlobs"]

_CHUNK = 1 << 20

_OBJECT_STORES = frozenset({"s3", "s3a", "gs", "gcs", "abfs", "abfss", "az", "memory"})
"""File systems on which an object appears whole or not at all."""

_CONDITIONAL = frozenset({"s3", "s3a"})
"""Those that can be asked to write only what is not there (``If-None-Match``)."""

_EXTRAS = {"s3": "s3", "s3a": "s3"}


@frozen
class RemoteBlobs:
    """Blobs below a URL: ``s3://bucket/prefix/sha256/ab/abcdef…``.

    Attributes:
        url: Where.
    """

    url: str

    @property
    def place(self) -> str:
        """The URL."""
        return self.url

    @property
    def objects(self) -> RemoteObjects:
        """Small files beside the blobs."""
        return RemoteObjects(self)

    @property
    def conditional(self) -> bool:
        """Whether the store can be asked to write only what is not there."""
        return self.url.partition("://")[0] in _CONDITIONAL

    @contextlib.contextmanager
    def told(self) -> Iterator[tuple[Any, str]]:
        """The file system and the root below it; its errors become the registry's."""
        with self._told():
            yield self._place

    def modified(self, name: str) -> float:
        """When an object was written, by the store's clock."""
        with self.told() as (system, root):
            return _modified(system, f"{root}/{name}", system.info(f"{root}/{name}"))

    @property
    def _place(self) -> tuple[Any, str]:
        """The file system, which fsspec keeps for each process and makes anew after a fork."""
        from fsspec.core import url_to_fs

        scheme = self.url.partition("://")[0]
        try:
            return url_to_fs(self.url, use_listings_cache=False)
        except ValueError as error:
            raise UsageError(f"{self.url}: {error}") from error
        except ImportError as error:
            fix = f"hotbed[{_EXTRAS[scheme]}]" if scheme in _EXTRAS else "what it names"
            raise RegistryError(f'{self.url}: {error}; fix: pip install "{fix}"') from error

    def put_file(self, path: Path) -> tuple[str, int]:
        """Store a file; what is there stays."""
        if path.stat().st_size <= SMALL:
            content = path.read_bytes()
            return self.put(content), len(content)
        with path.open("rb") as source:
            return self.put_stream(source)

    def put_stream(self, source: IO[bytes]) -> tuple[str, int]:
        """Store what a file gives."""
        hashing, size = hashlib.sha256(), 0
        # A copy, because the name is the digest of what is sent, and a file may change meanwhile.
        with tempfile.TemporaryDirectory() as place:
            copy = Path(place) / "copy"
            with copy.open("wb") as file:
                while chunk := source.read(_CHUNK):
                    hashing.update(chunk)
                    file.write(chunk)
                    size += len(chunk)
            digest = hashing.hexdigest()
            if self.size(digest) != size:
                self._send(digest, size, str(copy))
        return digest, size

    def put(self, content: bytes) -> str:
        """Store some bytes."""
        digest = hashlib.sha256(content).hexdigest()
        if self.size(digest) != len(content):
            self._send(digest, len(content), content)
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
                f"{self.url}: expected sha256 {digest}, and its {len(content):,} bytes have {found}"
            )
        return content

    def open(self, digest: str) -> IO[bytes]:
        """Open a blob.

        Raises:
            MissingFileError: It is not there.
        """
        system, _ = self._place
        with self._told():
            try:
                file = system.open(self._path(digest), "rb", cache_type="readahead")
            except FileNotFoundError as error:
                raise MissingFileError(f"the blob {digest} is not in {self.url}") from error
        return cast(IO[bytes], _Remote(file, self, digest))

    def local(self, digest: str) -> Path | None:
        """Nothing lies on this machine."""
        return None

    def size(self, digest: str) -> int | None:
        """Bytes of a blob."""
        system, _ = self._place
        with self._told():
            try:
                return int(system.info(self._path(digest))["size"])
            except FileNotFoundError:
                return None

    def remove(self, digest: str) -> None:
        """Remove a blob."""
        system, _ = self._place
        with self._told(), contextlib.suppress(FileNotFoundError):
            system.rm_file(self._path(digest))

    def tidy(self, older_than: float, *, dry: bool = False) -> int:
        """Remove, or only count, what writers left unfinished so many seconds ago."""
        system, root = self._place
        count = 0
        with self._told(), contextlib.suppress(FileNotFoundError):
            stages = system.find(f"{root}/stages", detail=True)
            now = self.objects.clock() if stages and not dry else time.time()
            for name, facts in stages.items():
                if now - _modified(system, name, facts) > older_than:
                    count += 1
                    if not dry:
                        system.rm_file(name)
        return count

    def __iter__(self) -> Iterator[Blob]:
        """Every blob; ``wanted`` is when it was written, since a store cannot note more."""
        system, root = self._place
        with self._told():
            try:
                found = system.find(f"{root}/sha256", detail=True)
            except FileNotFoundError:
                return
        for name, facts in sorted(found.items()):
            digest = PurePosixPath(name).name
            yield Blob(digest, int(facts["size"]), _modified(system, name, facts))

    def _path(self, digest: str) -> str:
        require_digest(digest)
        _, root = self._place
        return f"{root}/sha256/{digest[:2]}/{digest}"

    def _send(self, digest: str, size: int, content: bytes | str) -> None:
        """Send bytes, or the file of that name."""
        system, root = self._place
        target = self._path(digest)
        scheme = self.url.partition("://")[0]
        with self._told():
            if scheme in _OBJECT_STORES:
                condition = {"mode": "create"} if self.conditional else {}
                with contextlib.suppress(FileExistsError):  # somebody else was quicker
                    _put(system, content, target, **condition)
            else:
                stage = f"{root}/stages/{uuid.uuid4().hex}"
                system.makedirs(f"{root}/stages", exist_ok=True)
                system.makedirs(target.rpartition("/")[0], exist_ok=True)
                _put(system, content, stage)
                system.mv(stage, target)
        if (stored := self.size(digest)) != size:
            raise RegistryError(
                f"{self.url}: the blob {digest} has {stored} bytes after it was sent, and {size:,} "
                f"were; `hotbed registry doctor` tells more"
            )

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except (FileNotFoundError, FileExistsError, HotbedError):
            raise
        except Exception as error:
            # Each file system has exceptions of its own, without a common base. None of them says
            # anything about a version: what it gave is compared with its digest elsewhere.
            raise RegistryUnavailableError(
                f"{self.url} cannot be used: {type(error).__name__}: {error}"
            ) from error


class _Remote(io.RawIOBase):
    """An open blob; what goes wrong on the way is the registry's error."""

    def __init__(self, file: Any, blobs: RemoteBlobs, digest: str) -> None:
        self._file, self._blobs, self._digest = file, blobs, digest

    def read(self, size: int = -1, /) -> bytes:
        """Read on.

        Raises:
            MissingFileError: It was removed meanwhile.
            RegistryUnavailableError: The store does not answer any more.
        """
        try:
            with self._blobs.told():
                return bytes(self._file.read(size))
        except FileNotFoundError as error:
            raise MissingFileError(
                f"the blob {self._digest} is not in {self._blobs.url} any more"
            ) from error

    def close(self) -> None:
        """Close it."""
        with contextlib.suppress(Exception):  # what was read is read
            self._file.close()
        super().close()


def _put(system: Any, content: bytes | str, target: str, **options: Any) -> None:
    if isinstance(content, bytes):
        system.pipe_file(target, content, **options)
    else:
        system.put_file(content, target, **options)


def _modified(system: Any, name: str, facts: Any) -> float:
    for key in ("LastModified", "mtime", "last_modified", "created"):
        value = facts.get(key)
        if isinstance(value, datetime.datetime):
            return value.timestamp()
        if isinstance(value, int | float):
            return float(value)
    return float(system.modified(name).timestamp())
