"""Run a backend's convert hook on a staging folder, and publish what comes out."""

from __future__ import annotations

import errno
import shutil
from collections.abc import Callable
from pathlib import Path

from attrs import frozen

from hotbed.backends.engine import Engine
from hotbed.backends.values import Artifact, ConvertTarget, Variant
from hotbed.conversion.cache import GraphCache
from hotbed.errors import BackendError, ConversionError
from hotbed.models.folder import ModelFolder
from hotbed.models.layout import WEIGHTS, format_folder, is_metadata
from hotbed.publishing import staging

__all__ = ["Converted", "convert_into", "converted_artifact", "publishing_variants"]


@frozen(kw_only=True)
class Converted:
    """A finished conversion.

    Attributes:
        path: The new model folder.
        variants: What was written into it.
    """

    path: Path
    variants: tuple[Variant, ...]


def converted_artifact(
    cache: GraphCache, engine: Engine, folder: ModelFolder, target: ConvertTarget
) -> Artifact:
    """Give a tuned graph from the cache, converting first where it is not there."""
    converter = f"{engine.found.dist} {engine.name} {engine.output_version(target)}"
    with _told_in_our_words(folder, cache.root):
        entry = cache.get_or_make(
            folder,
            target,
            converter,
            lambda stage: _written(engine, engine.convert(folder.path, target, stage), stage),
        )
    variant = entry.variants[0]
    return Artifact(folder=folder.path, path=entry.path / variant.file, variant=variant)


def convert_into(
    engine: Engine, folder: ModelFolder, target: ConvertTarget, out: Path
) -> Converted:
    """Write a whole model folder: configuration, tokenizer, modules, and the converted file.

    Raises:
        ConversionError: ``out`` exists, or the conversion did not finish; ``out`` was not made.
    """
    return publishing_variants(
        engine,
        folder,
        target.format,
        out,
        lambda place: engine.convert(folder.path, target, place),
    )


def publishing_variants(
    engine: Engine,
    folder: ModelFolder,
    kind: str,
    out: Path,
    write: Callable[[Path], tuple[Variant, ...]],
) -> Converted:
    """Make a whole model folder around what a hook writes; all of it appears, or nothing.

    Args:
        engine: Whose hook it is.
        folder: The model folder that the small files come from.
        kind: The format written, which decides where its files lie.
        out: The folder to make.
        write: Calls the hook with the folder for its files.
    """
    if out.exists():
        raise ConversionError(f"{out} exists; {folder.name} was not converted into it")
    with _told_in_our_words(folder, out), staging(out) as stage:
        _copy_small_files(folder, stage)
        place = stage / folder.pipeline.transformer / format_folder(kind, engine.manifest.formats)
        place.mkdir(parents=True, exist_ok=True)
        variants = _written(engine, write(place), place)
    return Converted(path=out, variants=variants)


def _written(engine: Engine, variants: tuple[Variant, ...], place: Path) -> tuple[Variant, ...]:
    missing = [variant.file for variant in variants if not (place / variant.file).is_file()]
    if missing or not variants:
        raise BackendError(
            f"{engine.name} said that it wrote {', '.join(missing) or 'nothing'}, which is not "
            f"there. Backend author: give the variants that were written below `out`."
        )
    return variants


def _copy_small_files(folder: ModelFolder, stage: Path) -> None:
    heads = {f"{path}/{WEIGHTS}" for path in folder.pipeline.head_paths}
    for name in sorted(folder.files):
        if (is_metadata(name) or name in heads) and (folder.path / name).is_file():
            (stage / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(folder.path / name, stage / name)


class _told_in_our_words:  # noqa: N801 - reads as a statement where it is used
    """Turn what the disk says into a ConversionError that names the folder."""

    def __init__(self, folder: ModelFolder, out: Path) -> None:
        self._folder = folder
        self._out = out

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        # A backend's own failure carries what the disk said as its cause.
        cause = error.__cause__ if isinstance(error, BackendError) else error
        if not isinstance(cause, OSError):
            return
        why = "the disk is full" if cause.errno == errno.ENOSPC else f"{cause}"
        raise ConversionError(
            f"{self._folder.name} was not converted into {self._out}: {why}; nothing was left there"
        ) from error
