"""Run a backend's quantize hook on a staging folder, pass the gate, and publish what comes out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import attrs
import numpy as np

from hotbed.backends.engine import Engine
from hotbed.backends.manifest import Capability
from hotbed.backends.values import Artifact, Recipe, TokenBatch
from hotbed.conversion.convert import Converted, Work, publish
from hotbed.errors import UsageError
from hotbed.fidelity import Gate, artifact_reference
from hotbed.inference.batching import pack
from hotbed.inference.tokenisation import Tokenizer
from hotbed.models.folder import ModelFolder

__all__ = ["calibration", "quantize_into"]

_BUDGET = 1024
"""Padded tokens of a calibration batch."""


def quantize_into(
    engine: Engine,
    artifact: Artifact,
    folder: ModelFolder,
    recipe: Recipe,
    texts: Sequence[str],
    out: Path,
    gate: Gate,
) -> Converted:
    """Write a whole model folder that holds a quantised form of an artifact.

    Args:
        engine: Who quantises.
        artifact: What is quantised; the result is compared with it.
        folder: The model folder it belongs to.
        recipe: How.
        texts: For calibration.
        out: The folder to make.
        gate: Compares the result with the artifact before anybody sees it.

    Raises:
        UsageError: The backend has no such recipe.
        ConversionError: ``out`` exists, or the work did not finish; ``out`` was not made.
        FidelityError: The result is too far from the artifact; ``out`` was not made.
    """
    capability = _capability(engine, recipe)
    batches = calibration(folder, texts)
    with artifact_reference(folder, artifact, gate.open) as reference:
        work = Work(
            action="quantize",
            recipe={**attrs.asdict(recipe), "texts": len(texts)},
            format=capability.to or artifact.variant.format,
            write=lambda place: engine.quantize(artifact, recipe, batches, place),
            reference=reference,
        )
        return publish(engine, work, folder, out, gate)


def calibration(folder: ModelFolder, texts: Sequence[str]) -> tuple[TokenBatch, ...]:
    """Tokenise texts as ``encode`` does, in batches of like length."""
    tokenizer = Tokenizer.open(folder)
    tokens = tokenizer.encode(texts)
    return tuple(tokenizer.batch(tokens, np.sort(rows)) for rows in pack(tokens.counts, _BUDGET))


def _capability(engine: Engine, recipe: Recipe) -> Capability:
    mine = [c for c in engine.manifest.capabilities if c.action == "quantize"]
    for capability in mine:
        if recipe.name in capability.recipes:
            return capability
    known = ", ".join(name for capability in mine for name in capability.recipes)
    raise UsageError(f"{engine.name} has no recipe {recipe.name!r}; it has {known or 'none'}")
