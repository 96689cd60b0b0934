"""Write a folder under a temporary name and give it its real one only when it is whole."""

from __future__ import annotations

import contextlib
import os
import platform
import re
import shutil
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

from hotbed.errors import UsageError

__all__ = [
    "STAGE_PREFIX",
    "is_abandoned",
    "publish_file",
    "refuse_existing",
    "replacing",
    "staging",
    "sync",
]

STAGE_PREFIX = ".staging-"
"""What unfinished folders and files are called: the host and the process follow."""

_ABANDONED_AFTER = 24 * 3600.0
"""Seconds after which a stage of another host, whose processes cannot be seen, is given up."""


@contextlib.contextmanager
def staging(target: Path) -> Iterator[Path]:
    """Give an empty folder beside ``target``; at the end it becomes ``target``, whole or never.

    Everything is on disk before the rename, so a power cut leaves no half folder either. Where
    another process published the same target first, its folder stays and this one is removed.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    stage = target.parent / _stage_name()
    stage.mkdir()
    try:
        yield stage
        for file in stage.rglob("*"):
            sync(file)
        sync(stage)
        try:
            stage.rename(target)
        except OSError:
            if not target.is_dir():
                raise
        else:
            sync(target.parent)  # the rename lasts through a power cut
    finally:
        shutil.rmtree(stage, ignore_errors=True)


@contextlib.contextmanager
def publish_file(target: Path) -> Iterator[Path]:
    """Give a temporary path beside ``target``; at the end it replaces ``target``."""
    target.parent.mkdir(parents=True, exist_ok=True)
    stage = target.parent / f"{_stage_name()}{target.suffix}"
    try:
        yield stage
        sync(stage)
        stage.replace(target)
        sync(target.parent)  # the rename lasts through a power cut
    finally:
        stage.unlink(missing_ok=True)


def refuse_existing(output: Path, *, overwrite: bool) -> None:
    """Refuse a folder that exists, unless it is a model folder that may be replaced.

    Raises:
        UsageError: It exists.
    """
    if not output.exists():
        return
    if not overwrite:
        raise UsageError(f"{output} exists; --force (overwrite=True) replaces it")
    if not output.is_dir() or (any(output.iterdir()) and not (output / "config.json").exists()):
        raise UsageError(f"{output} is not a model folder; --force replaces only such")


@contextlib.contextmanager
def replacing(output: Path) -> Iterator[Path]:
    """Give a free path beside ``output``; what was made there takes its place at the end.

    Where nothing was made, or an error ended it, ``output`` stays as it is.
    """
    place = output.with_name(f"{output.name}.{uuid.uuid4().hex[:8]}.new")
    yield place
    if not place.exists():
        return
    old = place.with_suffix(".old")
    if output.exists():
        output.rename(old)
    place.rename(output)
    shutil.rmtree(old, ignore_errors=True)


def is_abandoned(stage: Path) -> bool:
    """Whether nobody will finish a stage: its process is gone, or it is a day old."""
    try:
        age = time.time() - stage.stat().st_mtime
    except FileNotFoundError:
        return False  # somebody finished it just now
    host, _, process = stage.name.removeprefix(STAGE_PREFIX).partition("~")
    number = process.partition("-")[0]
    # Windows has no way to ask after a process that does not signal it.
    if host == _host() and number.isdigit() and os.name != "nt":
        try:
            os.kill(int(number), 0)
        except ProcessLookupError:
            return True
        except PermissionError:  # alive, and somebody else's
            pass
        return False
    return age > _ABANDONED_AFTER


def _stage_name() -> str:
    return f"{STAGE_PREFIX}{_host()}~{os.getpid()}-{uuid.uuid4().hex[:8]}"


def _host() -> str:
    return re.sub(r"[^A-Za-z0-9.]", "", platform.node())[:32] or "host"


def sync(path: Path) -> None:
    """Flush a file or a folder to the disk, so that it lasts through a power cut."""
    if os.name == "nt":  # Windows opens no folders, and flushes files on close
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
