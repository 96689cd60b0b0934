"""Run a backend's convert hook on a staging folder, pass the gate, and publish what comes out."""

from __future__ import annotations

import gc
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import attrs
from attrs import evolve, frozen

from hotbed.backends.engine import Engine
from hotbed.backends.values import Artifact, ConvertTarget, Variant
from hotbed.conversion.cache import GraphCache, source_files
from hotbed.conversion.failures import told_in_our_words
from hotbed.conversion.record import Made, add_record
from hotbed.conversion.room import require_room
from hotbed.errors import BackendError, ConversionError, FidelityError
from hotbed.fidelity import Gate, Report, source_reference
from hotbed.fidelity.gate import Reference
from hotbed.models.containment import contained
from hotbed.models.digests import sha256
from hotbed.models.folder import ModelFolder
from hotbed.models.layout import WEIGHTS, format_folder, is_metadata
from hotbed.publishing import staging

__all__ = ["Converted", "Work", "convert_into", "converted_artifact", "publish"]


@frozen(kw_only=True)
class Converted:
    """A finished conversion.

    Attributes:
        path: The new model folder.
        variants: What was written into it; ``file`` is relative to the format's folder.
        reports: How near each variant is to what it was made from.
    """

    path: Path
    variants: tuple[Variant, ...]
    reports: tuple[Report, ...]


@frozen(kw_only=True)
class Work:
    """Something that a hook writes.

    Attributes:
        action: ``convert`` or ``quantize``.
        recipe: What was asked for, as plain values for the record.
        format: The format written, which decides where its files lie.
        write: Calls the hook with the folder for its files.
        reference: What the result is compared with.
    """

    action: str
    recipe: Mapping[str, Any]
    format: str
    write: Callable[[Path], tuple[Variant, ...]]
    reference: Reference


def converted_artifact(
    cache: GraphCache, engine: Engine, folder: ModelFolder, target: ConvertTarget, gate: Gate
) -> Artifact:
    """Give a tuned graph from the cache, converting first where it is not there."""
    converter = f"{engine.found.dist} {engine.name} {engine.output_version(target.format)}"

    def make(stage: Path) -> tuple[tuple[Variant, ...], tuple[Report, ...]]:
        require_room(folder, cache.root)
        with source_reference(folder, engine.name, gate.open_reference) as reference:
            work = _conversion(engine, folder, target, reference)
            return _written(engine, work, folder, gate, stage)

    with told_in_our_words(folder, cache.root):
        entry = cache.get_or_make(folder, target, converter, make)
    variant = entry.variants[0]
    return Artifact(folder=folder.path, path=entry.path / variant.file, variant=variant)


def convert_into(
    engine: Engine,
    folder: ModelFolder,
    target: ConvertTarget,
    out: Path,
    gate: Gate,
    *,
    keep_weights: bool = False,
) -> Converted:
    """Write a whole model folder: configuration, tokenizer, modules, and the converted file.

    Args:
        engine: Who converts.
        folder: The model.
        target: What is wanted.
        out: The folder to make.
        gate: Compares the result with the model before anybody sees it.
        keep_weights: Whether the folder gets the safetensors as well.

    Raises:
        ConversionError: ``out`` exists, the disk has no room, or the conversion did not finish;
            ``out`` was not made.
        FidelityError: The result is too far from the model; ``out`` was not made.
    """
    require_room(folder, out, copies=1 + keep_weights)
    with source_reference(folder, engine.name, gate.open_reference) as reference:
        work = _conversion(engine, folder, target, reference)
        return publish(engine, work, folder, out, gate, keep_weights=keep_weights)


def _conversion(
    engine: Engine, folder: ModelFolder, target: ConvertTarget, reference: Reference
) -> Work:
    return Work(
        action="convert",
        recipe=attrs.asdict(target),
        format=target.format,
        write=lambda place: engine.convert(folder.path, target, place),
        reference=reference,
    )


def publish(
    engine: Engine,
    work: Work,
    folder: ModelFolder,
    out: Path,
    gate: Gate,
    *,
    keep_weights: bool = False,
) -> Converted:
    """Make a whole model folder around what a hook writes; all of it appears, or nothing."""
    if out.exists():
        raise ConversionError(f"{out} exists; {folder.name} was not converted into it")
    with told_in_our_words(folder, out), staging(out) as stage:
        # The weights that a copy keeps, and those that come of a pickle, are the base's own.
        base = keep_weights or work.format == "safetensors"
        _copy_files(folder, stage, keep_weights=keep_weights, adapter=base)
        place_of = format_folder(work.format, engine.manifest.formats)
        inside = Path(folder.pipeline.transformer, place_of)
        place = stage / inside
        place.mkdir(parents=True, exist_ok=True)
        variants, reports = _written(engine, work, folder, gate, place)
        add_record(stage, _record(engine, work, folder, variants, reports, inside))
    return Converted(path=out, variants=variants, reports=reports)


def _record(
    engine: Engine,
    work: Work,
    folder: ModelFolder,
    variants: tuple[Variant, ...],
    reports: tuple[Report, ...],
    inside: Path,
) -> Made:
    read = {name: sha256(folder.path / name) for name in source_files(folder)}
    version = engine.output_version(work.format)
    return Made(
        action=work.action,
        model=folder.name,
        by=f"{engine.found.dist} {engine.found.version}, {engine.name} {version}",
        recipe=work.recipe,
        sources=read,
        variants=tuple(evolve(v, file=(inside / v.file).as_posix()) for v in variants),
        reports=reports,
    )


def _written(
    engine: Engine, work: Work, folder: ModelFolder, gate: Gate, place: Path
) -> tuple[tuple[Variant, ...], tuple[Report, ...]]:
    """Call the hook, and let what it wrote through the gate."""
    variants = work.write(place)
    # Whatever a hook leaves behind in cycles may hold the model that it read: the check opens it
    # again, and 2.27 GB of bge-m3 stood twice in memory.
    gc.collect()
    missing = [variant.file for variant in variants if not (place / variant.file).is_file()]
    if missing or not variants:
        raise BackendError(
            f"{engine.name} said that it wrote {', '.join(missing) or 'nothing'}, which is not "
            f"there. Backend author: give the variants that were written below `out`."
        )
    reports = []
    for variant in variants:
        artifact = Artifact(folder=folder.path, path=place / variant.file, variant=variant)
        try:
            reports.append(gate.check(folder, artifact, work.reference))
        except FidelityError as error:
            error.nbytes = sum(file.stat().st_size for file in place.rglob("*") if file.is_file())
            raise
    return variants, tuple(reports)


def _copy_files(folder: ModelFolder, stage: Path, *, keep_weights: bool, adapter: bool) -> None:
    """Configuration, tokenizer, card and modules; the transformer's weights where asked for."""
    weights = set(folder.weight_files)
    wanted = {f"{path}/{WEIGHTS}" for path in folder.pipeline.head_paths}
    wanted |= {name for name in folder.files if is_metadata(name)}
    wanted = wanted | weights if keep_weights else wanted - weights
    changing = {*folder.adapter_files}
    wanted = wanted | changing if adapter else wanted - changing
    for name in sorted(wanted & folder.files):
        if (folder.path / name).is_file():
            (stage / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(contained(folder.path, name), stage / name)
