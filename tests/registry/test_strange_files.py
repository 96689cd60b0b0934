"""What has the name of an archive or a blob, and is no file, is an error of ours, at once."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from hotbed.errors import CorruptFileError
from hotbed.registry import Registry
from hotbed.registry.objects import LocalObjects

STRANGE: dict[str, Callable[[Path], None]] = {
    "folder": Path.mkdir,
    "pipe": os.mkfifo,
    "endless": lambda path: path.symlink_to("/dev/zero"),
    "circle": lambda path: path.symlink_to(path.name),
    "nowhere": lambda path: path.symlink_to("nowhere"),
}


@pytest.mark.parametrize("strange", STRANGE)
def test_an_archive_that_is_no_file(tmp_path: Path, registry: Registry, strange: str) -> None:
    """Importing it names it, and waits for nothing."""
    STRANGE[strange](tmp_path / "x.tar")
    with pytest.raises(CorruptFileError, match=r"x\.tar"):
        registry.import_archive(tmp_path / "x.tar")


@pytest.mark.parametrize("strange", STRANGE)
def test_a_blob_that_is_no_file(
    tmp_path: Path, registry: Registry, model: Path, strange: str
) -> None:
    """The doctor names it, and so does what reads it."""
    registry.register("m", model)
    blob = next(
        path for path in (tmp_path / "registry" / "blobs").rglob("*") if len(path.name) == 64
    )
    blob.unlink()
    STRANGE[strange](blob)
    assert len(registry.doctor().faults) == 1
    with pytest.raises(CorruptFileError, match=blob.name):
        registry.store.blobs.open(blob.name)


@pytest.mark.parametrize("strange", ["folder", "pipe", "endless", "circle"])
def test_an_object_that_is_no_file(tmp_path: Path, strange: str) -> None:
    """What stands beside the blobs is read from files as well."""
    STRANGE[strange](tmp_path / "x.json")
    with pytest.raises(CorruptFileError, match=r"x\.json"):
        LocalObjects(root=tmp_path).read("x.json")
    assert LocalObjects(root=tmp_path).read("absent.json") is None
