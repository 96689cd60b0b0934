"""Converted graphs under ``HOTBED_HOME``, by what they were made from.

The key holds the digests of every file that the conversion reads, so a folder that changes gets a
new graph and an old one is never taken for it. A graph appears by one rename; processes that
build the same one at the same time each build it, and the first to finish is kept.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import shutil
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from attrs import field, frozen

from hotbed.backends.values import ConvertTarget, Variant
from hotbed.errors import CorruptFileError
from hotbed.fidelity.report import Report
from hotbed.models.digests import DigestCache, combine
from hotbed.models.folder import ModelFolder
from hotbed.publishing import STAGE_PREFIX, is_abandoned, staging

__all__ = ["Entry", "GraphCache", "source_files"]

_log = logging.getLogger("hotbed.conversion")

_MANIFEST = "hotbed.json"


@frozen(kw_only=True)
class Entry:
    """One converted graph.

    Attributes:
        path: Its folder.
        model: What it was converted from, as named then.
        profile: Its profile.
        nbytes: Bytes on disk.
        used: When it was last opened, in seconds since 1970.
        variants: What it holds.
    """

    path: Path
    model: str
    profile: str
    nbytes: int
    used: float
    variants: tuple[Variant, ...]


@frozen(kw_only=True)
class GraphCache:
    """The converted graphs of one ``HOTBED_HOME``."""

    home: Path
    digests: DigestCache = field(init=False)

    @digests.default
    def _digests(self) -> DigestCache:
        return DigestCache(self.home / "digests.sqlite3")

    @property
    def root(self) -> Path:
        """Where the graphs lie."""
        return self.home / "graphs"

    def key(self, folder: ModelFolder, target: ConvertTarget, converter: str) -> str:
        """The key of a conversion: its sources' digests, the converter's version, the target."""
        names = source_files(folder)
        found = self.digests.files([folder.path / name for name in names])
        digest = combine((name, found[folder.path / name]) for name in names)
        parts = (digest, converter, target.format, target.profile, target.dtype, target.stem)
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()

    def get_or_make(
        self,
        folder: ModelFolder,
        target: ConvertTarget,
        converter: str,
        make: Callable[[Path], tuple[tuple[Variant, ...], tuple[Report, ...]]],
    ) -> Entry:
        """Give the graph, made now if it is not there.

        Args:
            folder: The model.
            target: What is wanted.
            converter: Name and version of what would make it.
            make: Makes it in an empty folder; gives what was written, and how near each came.
        """
        key = self.key(folder, target, converter)
        path = self.root / key[:2] / key
        if not path.is_dir():
            with staging(path) as stage:
                variants, reports = make(stage)
                _write_manifest(stage, folder, target, converter, variants, reports)
        entry = read_entry(path)
        os.utime(path / _MANIFEST)  # its mtime is when it was last used
        return entry

    def entries(self) -> list[Entry]:
        """Every whole graph, the one used last first."""
        found = []
        for path in self._folders():
            try:
                found.append(read_entry(path))
            except CorruptFileError as error:
                _log.warning("passed over a graph: %s", error)
        return sorted(found, key=lambda entry: -entry.used)

    def _folders(self) -> list[Path]:
        folders = [path for path in self.root.glob("*/*") if path.is_dir()]
        return [path for path in folders if not path.name.startswith(STAGE_PREFIX)]

    def prune(self, older_than: float | None = None) -> tuple[list[Entry], int]:
        """Remove graphs not used for so many seconds (None: all), and abandoned stages.

        A stage that a living process is still writing stays.

        Returns:
            The graphs removed, and how many unfinished folders went.
        """
        now = time.time()
        removed = []
        for entry in self.entries():
            if older_than is None or now - entry.used > older_than:
                _remove(entry.path)
                removed.append(entry)
        if older_than is None:
            for path in self._folders():  # what is left cannot be read
                _remove(path)
        stages = [path for path in self.root.glob(f"*/{STAGE_PREFIX}*") if is_abandoned(path)]
        for path in stages:
            shutil.rmtree(path, ignore_errors=True)
        return removed, len(stages)


def _remove(path: Path) -> None:
    # Renamed first, so that nobody opens a graph that is half gone.
    doomed = path.with_name(f"{STAGE_PREFIX}{path.name}")
    path.rename(doomed)
    shutil.rmtree(doomed, ignore_errors=True)


def source_files(folder: ModelFolder) -> list[str]:
    """The files that a conversion reads: the transformer's, ``modules.json``, and each module's."""
    prefix = f"{folder.pipeline.transformer}/" if folder.pipeline.transformer else ""
    wanted = {f"{prefix}config.json", "modules.json"}
    wanted |= {*folder.weight_files, *folder.head_files, *folder.token_heads.values()}
    wanted |= {*folder.adapter_files}
    if not folder.weight_files:  # whichever file the converter reads is among these
        for variant in folder.variants:
            wanted |= {variant.file, *folder.companions(variant)}
    for path in folder.pipeline.module_paths:
        wanted |= {f"{path}/config.json"}
    return sorted(name for name in wanted if (folder.path / name).exists())


def _write_manifest(
    stage: Path,
    folder: ModelFolder,
    target: ConvertTarget,
    converter: str,
    variants: Iterable[Variant],
    reports: Iterable[Report],
) -> None:
    import attrs

    value = {
        "model": folder.name,
        "converter": converter,
        "target": attrs.asdict(target),
        "variants": [attrs.asdict(variant) for variant in variants],
        "reports": [report.as_dict() for report in reports],
    }
    (stage / _MANIFEST).write_text(json.dumps(value, indent=2), encoding="utf-8")


def read_entry(path: Path) -> Entry:
    """Read a graph's folder.

    Raises:
        CorruptFileError: Its manifest cannot be read.
    """
    manifest = path / _MANIFEST
    try:
        value: dict[str, Any] = json.loads(manifest.read_text(encoding="utf-8"))
        return Entry(
            path=path,
            model=value["model"],
            profile=value["target"]["profile"],
            nbytes=sum(file.stat().st_size for file in path.iterdir()),
            used=manifest.stat().st_mtime,
            variants=tuple(Variant(**variant) for variant in value["variants"]),
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CorruptFileError(
            f"{manifest} cannot be read ({type(error).__name__}: {error}); "
            f"`hotbed cache prune --all` removes it, and the next load makes it again"
        ) from error
