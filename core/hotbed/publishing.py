"""Write a folder under a temporary name and give it its real one only when it is whole."""

from __future__ import annotations

import contextlib
import os
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path

__all__ = ["STAGE_PREFIX", "publish_file", "staging", "sync_folder"]

STAGE_PREFIX = ".staging-"
"""What unfinished folders and files are called; ``hotbed cache prune`` removes old ones."""


@contextlib.contextmanager
def staging(target: Path) -> Iterator[Path]:
    """Give an empty folder beside ``target``; at the end it becomes ``target``, whole or never.

    Everything is on disk before the rename, so a power cut leaves no half folder either. Where
    another process published the same target first, its folder stays and this one is removed.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    stage = target.parent / f"{STAGE_PREFIX}{os.getpid()}-{uuid.uuid4().hex[:8]}"
    stage.mkdir()
    try:
        yield stage
        for file in stage.rglob("*"):
            _sync(file)
        _sync(stage)
        try:
            stage.rename(target)
        except OSError:
            if not target.is_dir():
                raise
        else:
            sync_folder(target.parent)
    finally:
        shutil.rmtree(stage, ignore_errors=True)


@contextlib.contextmanager
def publish_file(target: Path) -> Iterator[Path]:
    """Give a temporary path beside ``target``; at the end it replaces ``target``."""
    target.parent.mkdir(parents=True, exist_ok=True)
    stage = target.parent / f"{STAGE_PREFIX}{os.getpid()}-{uuid.uuid4().hex[:8]}{target.suffix}"
    try:
        yield stage
        _sync(stage)
        stage.replace(target)
        sync_folder(target.parent)
    finally:
        stage.unlink(missing_ok=True)


def sync_folder(folder: Path) -> None:
    """Make a rename inside the folder last through a power cut."""
    _sync(folder)


def _sync(path: Path) -> None:
    if os.name == "nt":  # Windows opens no folders, and flushes files on close
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
