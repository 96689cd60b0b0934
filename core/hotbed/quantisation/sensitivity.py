"""What each layer loses in each recipe, measured one at a time, and what it would save."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from attrs import frozen

from hotbed.backends.values import Layer
from hotbed.quantisation.bench import Bench
from hotbed.quantisation.mixes import FLOAT32, Mix, Trial
from hotbed.quantisation.planning import Option, Unit
from hotbed.quantisation.sources import Source

__all__ = ["Sensitivity", "measure_units", "units_of", "worth_mixing"]

_UNITS = 26
"""Units that are measured; of deeper models, neighbouring layers of one shape go together."""

_GAIN = 1.02
"""Times as fast as float32 from which a recipe is worth mixing in, where size does not matter."""

FLOAT_BYTES = 4


@frozen(kw_only=True)
class Sensitivity:
    """What one unit loses in one recipe.

    Attributes:
        backend: Whose layers and recipes these are.
        layers: The unit.
        recipe: The recipe.
        mean: Mean of 1 - cosine.
        worst: Its largest value.
    """

    backend: str
    layers: tuple[str, ...]
    recipe: str
    mean: float
    worst: float


def worth_mixing(
    source: Source, wholes: Sequence[Trial], *, size: bool, dependent: bool
) -> list[str]:
    """The recipes that single layers are tried in.

    Left out is what is no faster than float32, where size does not matter; what makes vectors
    depend on their neighbours, unless that is allowed; and what another recipe beats in everything.

    Args:
        source: The backend.
        wholes: What came of each recipe on all layers.
        size: Whether size matters.
        dependent: Whether vectors may depend on the texts beside them.
    """
    tried = {one.mix.recipe: one for one in wholes if one.mix.backend == source.backend}
    able = {
        name: one
        for name, one in tried.items()
        if name in source.mixing
        and one.fidelity is not None
        and (dependent or not one.batch_dependent)
        and (size or one.speed > _GAIN)
    }
    return [name for name, one in able.items() if not any(_beats(b, one) for b in able.values())]


def _beats(other: Trial, one: Trial) -> bool:
    if other is one or other.fidelity is None or one.fidelity is None:
        return False
    if other.speedup is None or one.speedup is None:
        return False
    return (
        other.fidelity.mean >= one.fidelity.mean
        and other.speedup.least >= one.speedup.most
        and other.nbytes <= one.nbytes
    )


def units_of(layers: Sequence[Layer]) -> list[tuple[Layer, ...]]:
    """Layers in groups of one shape, neighbours together, so that there are few enough."""
    size = -(-len(layers) // _UNITS)
    shapes: dict[tuple[str, int, int], list[Layer]] = {}
    for layer in layers:
        shapes.setdefault((layer.kind, layer.inputs, layer.outputs), []).append(layer)
    return [
        tuple(alike[start : start + size])
        for alike in shapes.values()
        for start in range(0, len(alike), size)
    ]


def measure_units(
    bench: Bench, source: Source, wholes: Sequence[Trial], recipes: Sequence[str]
) -> Iterator[tuple[str, Unit | None]]:
    """Measure every unit in every recipe.

    Yields:
        What is measured next, and None; or what was measured, and the unit.
    """
    places = bench.sample(source.layers)
    tried = {one.mix.recipe: one for one in wholes if one.mix.backend == source.backend}
    work = sum(_products(layer) for layer in source.layers) or 1
    weights = sum(layer.inputs * layer.outputs for layer in source.layers) or 1
    whole_bytes = float(weights * FLOAT_BYTES)
    units = units_of(source.layers)
    found = bench.losses(source, _alone(source, units, recipes), places)
    for layers in units:
        names = tuple(layer.name for layer in layers)
        share = sum(map(_products, layers)) / work
        part = sum(layer.inputs * layer.outputs for layer in layers) / weights
        options = [
            Option(FLOAT32, bench.seconds * share, whole_bytes * part, np.zeros(len(places)))
        ]
        for recipe in recipes:
            yield f"{names[0]} in {recipe}", None
            losses = next(found)
            if losses is None:
                continue  # this layer cannot be so
            whole = tried[recipe]
            # What was refused before it was timed counts as no faster: size decides then.
            saved = bench.seconds * (1 - 1 / whole.speed) if whole.speedup else 0.0
            options.append(
                Option(
                    recipe=recipe,
                    seconds=(bench.seconds - saved) * share,
                    nbytes=whole.nbytes * part,
                    losses=losses,
                )
            )
        yield names[0], Unit(layers=names, options=tuple(options))


def _alone(
    source: Source, units: Sequence[Sequence[Layer]], recipes: Sequence[str]
) -> Iterator[Mix]:
    """For each unit and recipe the mix in which only that unit is so."""
    for layers in units:
        for recipe in recipes:
            plan = {layer.name: FLOAT32 for layer in source.layers}
            plan |= dict.fromkeys((layer.name for layer in layers), recipe)
            yield Mix.of(source.backend, recipe, plan)


def _products(layer: Layer) -> int:
    """Products for a token: what a layer's time goes by. Taking rows from a table takes none."""
    return layer.inputs * layer.outputs if layer.kind == "linear" else 0
