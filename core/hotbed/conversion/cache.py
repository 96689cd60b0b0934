"""Converted graphs, by what they were made from.

They lie in the cache folder; those that earlier versions kept under ``HOTBED_HOME`` are still found
there. The key holds the digests of every file that the conversion reads, so a folder that changes
gets a new graph and an old one is never taken for it. A graph appears by one rename; processes that
build the same one at the same time each build it, and the first to finish is kept.

What was written is compared with its digests at each load; a damaged graph is made again. A graph
that is there can be loaded from a disk that nobody may write to.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import os
import shutil
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from attrs import field, frozen

from hotbed.backends.values import ConvertTarget, Variant
from hotbed.errors import CorruptFileError, ModelError
from hotbed.fidelity.report import Report
from hotbed.formats import known, require_version
from hotbed.models.digests import DigestCache, combine
from hotbed.models.folder import ModelFolder
from hotbed.models.integrity import Change, changes, file_digests
from hotbed.models.jsonfile import read_object
from hotbed.publishing import STAGE_PREFIX, is_abandoned, staging
from hotbed.user_folders import require_creatable

__all__ = ["Entry", "GraphCache", "source_files"]

_log = logging.getLogger("hotbed.conversion")

_MANIFEST, _OLD_MANIFEST = "graph.json", "hotbed.json"
_FORMAT, _VERSION = "hotbed.graph", 1


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
        files: File → sha256, as they were written; empty for those of older versions.
    """

    path: Path
    model: str
    profile: str
    nbytes: int
    used: float
    variants: tuple[Variant, ...]
    files: Mapping[str, str]


@frozen(kw_only=True)
class GraphCache:
    """The converted graphs of a user.

    Attributes:
        home: ``HOTBED_HOME``.
        place: The cache folder; None means ``home``.
    """

    home: Path
    place: Path | None = None
    digests: DigestCache = field(init=False)

    @digests.default
    def _digests(self) -> DigestCache:
        return DigestCache(self.home / "digests.sqlite3")

    @property
    def root(self) -> Path:
        """Where graphs are put."""
        return (self.place or self.home) / "graphs"

    @property
    def roots(self) -> tuple[Path, ...]:
        """Where graphs are looked for: earlier versions kept them all under ``home``."""
        return tuple(dict.fromkeys([self.root, self.home / "graphs"]))

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
        paths = [root / key[:2] / key for root in self.roots]
        path = next((path for path in paths if path.is_dir()), paths[0])
        if path.is_dir():
            entry = read_entry(path)
            if not (wrong := self._damage(entry)):
                with contextlib.suppress(OSError):  # a disk that nobody may write to
                    os.utime(_manifest(path))  # its mtime is when it was last used
                return entry
            _log.warning("%s is damaged, and is made again: %s", path, wrong[0])
            _replace(path, wrong)
        require_creatable(self.place or self.home)
        with staging(paths[0]) as stage:
            variants, reports = make(stage)
            _write_manifest(stage, folder, target, converter, variants, reports)
        return read_entry(paths[0])

    def _damage(self, entry: Entry) -> list[Change]:
        return changes(entry.path, entry.files, entry.files, self.digests)

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
        folders = [p for root in self.roots for p in root.glob("*/*") if p.is_dir()]
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
        found = [path for root in self.roots for path in root.glob(f"*/{STAGE_PREFIX}*")]
        stages = [path for path in found if is_abandoned(path)]
        for path in stages:
            shutil.rmtree(path, ignore_errors=True)
        return removed, len(stages)


def _replace(path: Path, wrong: list[Change]) -> None:
    """Put a damaged graph away.

    Raises:
        CorruptFileError: It cannot be put away; the damage is named.
    """
    try:
        _remove(path)
    except OSError as error:
        raise CorruptFileError(
            f"{path} is damaged, and cannot be replaced ({error}): {wrong[0]}. Remove it where it "
            f"can be written, or set HOTBED_HOME to another folder"
        ) from error


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
        "format": _FORMAT,
        "version": _VERSION,
        "files": file_digests(stage),
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
    manifest = _manifest(path)
    try:
        value: dict[str, Any] = read_object(manifest)
        if manifest.name == _MANIFEST:
            require_version(value, _FORMAT, _VERSION)
        files = {str(name): str(digest) for name, digest in value.get("files", {}).items()}
        if strange := [name for name in files if name != Path(name).name]:
            raise ValueError(f"{strange[0]!r} is no file beside it")
        return Entry(
            path=path,
            model=value["model"],
            profile=value["target"]["profile"],
            nbytes=sum(file.stat().st_size for file in path.iterdir()),
            used=manifest.stat().st_mtime,
            variants=tuple(Variant(**known(Variant, one)) for one in value["variants"]),
            files=files,
        )
    except (ModelError, OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise CorruptFileError(
            f"{manifest} cannot be read ({type(error).__name__}: {error}); "
            f"`hotbed cache prune --all` removes it, and the next load makes it again"
        ) from error


def _manifest(path: Path) -> Path:
    """The record of a graph; earlier versions gave it the name of another."""
    old = path / _OLD_MANIFEST
    return old if not (path / _MANIFEST).exists() and old.exists() else path / _MANIFEST
