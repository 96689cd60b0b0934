"""Small files beside the blobs: whose store it is, and what its registry knew.

An object is written whole or not at all, and ``create`` never replaces one that is there.
"""

from __future__ import annotations

import contextlib
import os
import uuid
from pathlib import Path
from typing import Any, Protocol

from attrs import frozen

from hotbed.errors import MissingFileError, RegistryError
from hotbed.models.jsonfile import require_regular
from hotbed.publishing import sync

__all__ = ["LARGEST", "LocalObjects", "Objects", "RemoteObjects"]

LARGEST = 1 << 16
"""Bytes that such an object has at most."""


class Objects(Protocol):
    """Objects by name, below one root."""

    def read(self, name: str) -> bytes | None:
        """The bytes of an object; None where it is not there."""
        ...

    def create(self, name: str, content: bytes) -> bool:
        """Write an object unless there is one of that name; whether it was written."""
        ...

    def write(self, name: str, content: bytes, *, flush: bool = True) -> None:
        """Write an object, in place of one that is there."""
        ...

    def remove(self, name: str) -> None:
        """Remove an object; nothing where it is not there."""
        ...

    def names(self, folder: str) -> list[str]:
        """The names of the objects in a folder, without it."""
        ...

    def clock(self) -> float:
        """Seconds since 1970, by the clock that dates the files of this store."""
        ...


@frozen
class LocalObjects:
    """Objects in a folder.

    Attributes:
        root: The folder.
    """

    root: Path

    def read(self, name: str) -> bytes | None:
        """The bytes of an object."""
        try:
            require_regular(self.root / name)
            with (self.root / name).open("rb") as file:
                return file.read(LARGEST)
        except (MissingFileError, FileNotFoundError, NotADirectoryError):
            return None

    def create(self, name: str, content: bytes) -> bool:
        """Write an object unless there is one."""
        stage = self._staged(content, flush=True)
        try:
            return _linked(stage, self.root / name)
        finally:
            stage.unlink(missing_ok=True)

    def write(self, name: str, content: bytes, *, flush: bool = True) -> None:
        """Write an object."""
        target = self.root / name
        if not flush:  # a note whose name alone matters
            target.parent.mkdir(parents=True, exist_ok=True)
            with target.open("wb", buffering=0) as file, contextlib.suppress(OSError):
                file.write(content)  # a full disk takes the name at least
            return
        target.parent.mkdir(parents=True, exist_ok=True)
        stage = self._staged(content, flush=True)
        try:
            stage.replace(target)
        finally:
            stage.unlink(missing_ok=True)
        sync(target.parent)

    def remove(self, name: str) -> None:
        """Remove an object."""
        (self.root / name).unlink(missing_ok=True)

    def names(self, folder: str) -> list[str]:
        """The names of the objects in a folder."""
        try:
            return sorted(path.name for path in (self.root / folder).iterdir())
        except (FileNotFoundError, NotADirectoryError):
            return []

    def clock(self) -> float:
        """The file system's time: what it gives to a file that is made now."""
        stage = self._staged(b"", flush=False)
        try:
            return stage.stat().st_mtime
        finally:
            stage.unlink(missing_ok=True)

    def _staged(self, content: bytes, *, flush: bool) -> Path:
        folder = self.root / "stages"
        folder.mkdir(parents=True, exist_ok=True)
        stage = folder / f"{os.getpid()}-{uuid.uuid4().hex}"
        with stage.open("wb") as file:
            file.write(content)
            if flush:
                file.flush()
                os.fsync(file.fileno())
        return stage


def _linked(stage: Path, target: Path) -> bool:
    """Give a whole file its name unless that is taken; whether it has it now."""
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(stage, target)
    except FileExistsError:
        return False
    except OSError:  # a file system without links
        if target.exists():
            return False
        stage.replace(target)
    for folder in (target.parent, target.parent.parent):
        with contextlib.suppress(OSError):  # somebody else's folder
            sync(folder)
    return True


@frozen
class RemoteObjects:
    """Objects below a URL.

    Attributes:
        blobs: The blobs beside them (``RemoteBlobs``), which know the file system.
    """

    blobs: Any

    def read(self, name: str) -> bytes | None:
        """The bytes of an object."""
        with self.blobs.told() as (system, root):
            try:
                return bytes(system.cat_file(f"{root}/{name}", end=LARGEST))
            except FileNotFoundError:
                return None

    def create(self, name: str, content: bytes) -> bool:
        """Write an object unless there is one; a store without such a condition is asked before."""
        if self.read(name) is not None:
            return False
        with self.blobs.told() as (system, root):
            system.makedirs(f"{root}/{name}".rpartition("/")[0], exist_ok=True)
            condition = {"mode": "create"} if self.blobs.conditional else {}
            try:
                system.pipe_file(f"{root}/{name}", content, **condition)
            except FileExistsError:
                return False
        if self.read(name) is None:
            raise RegistryError(f"{self.blobs.url}: {name} is not there after it was written")
        return True

    def write(self, name: str, content: bytes, *, flush: bool = True) -> None:
        """Write an object."""
        with self.blobs.told() as (system, root):
            system.makedirs(f"{root}/{name}".rpartition("/")[0], exist_ok=True)
            system.pipe_file(f"{root}/{name}", content)

    def remove(self, name: str) -> None:
        """Remove an object."""
        with self.blobs.told() as (system, root), contextlib.suppress(FileNotFoundError):
            system.rm_file(f"{root}/{name}")

    def names(self, folder: str) -> list[str]:
        """The names of the objects in a folder."""
        with self.blobs.told() as (system, root):
            try:
                found = system.find(f"{root}/{folder}")
            except FileNotFoundError:
                return []
            return sorted(str(path).rpartition("/")[2] for path in found)

    def clock(self) -> float:
        """The store's time: what it gives to an object that is made now."""
        name = f"stages/clock-{uuid.uuid4().hex}"
        self.write(name, b"0")
        try:
            return float(self.blobs.modified(name))
        finally:
            self.remove(name)
