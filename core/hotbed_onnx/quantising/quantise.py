"""From a float32 ONNX file and a recipe to a smaller file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from hotbed.backends import Artifact, Layer, Recipe, TokenBatch, Variant
from hotbed.errors import UsageError
from hotbed_onnx.integers import INTEGERS
from hotbed_onnx.quantising.calibrating import activation_ranges
from hotbed_onnx.quantising.layers import Part, find_parts, refuse_integers, refuse_quantised
from hotbed_onnx.quantising.options import Options, read_options
from hotbed_onnx.quantising.recipes import BY_NAME, file_stem
from hotbed_onnx.quantising.rewriting import rewrite
from hotbed_onnx.quantising.source import Source, read_graph
from hotbed_onnx.writing import save

__all__ = ["layers_of", "quantise"]


def layers_of(artifact: Artifact) -> tuple[Layer, ...]:
    """What a recipe can be told to leave out, in the graph's order."""
    return tuple(part.layer for part in find_parts(read_graph(artifact.path).graph))


def quantise(
    artifact: Artifact, recipe: Recipe, batches: Sequence[TokenBatch], out: Path
) -> tuple[Variant, ...]:
    """Write a quantised form of an ONNX file.

    Args:
        artifact: The file; float32.
        recipe: One of ``RECIPES``, with the options of ``Options``.
        batches: For calibration.
        out: The folder to write into.

    Raises:
        UsageError: The file is quantised already, an option is wrong, a layer is not there, or
            texts are wanted and there are none.
        ConversionError: A weight or an activation is not finite; it is named.
    """
    way = BY_NAME[recipe.name]
    options = read_options(recipe, artifact.variant.profile)
    source = read_graph(artifact.path)
    graph = source.graph
    refuse_quantised(graph, artifact.path.name)
    refuse_integers(graph, artifact.path.name)
    if way.mixes:
        # A table's rows are looked up, whatever the recipe is called: they have no ranges to take.
        kinds = {part.layer.name: part.layer.kind for part in find_parts(graph)}
        plan = _quantise_layers(source, artifact, recipe, options, batches)
        used = {recipe for part, recipe in plan.items() if kinds[part] == "linear"}
        dependent = any(name in BY_NAME and BY_NAME[name].batch_dependent for name in used)
    else:
        from hotbed_onnx.quantising.float16 import to_float16

        to_float16(graph)
        dependent = False
    profile = artifact.variant.profile
    file = f"{recipe.stem or file_stem(way, profile)}.onnx"
    facts = {"hotbed.recipe": recipe.name, "hotbed.batch_dependent": "yes" if dependent else "no"}
    if way.dtype in INTEGERS:
        facts["hotbed.weight_bits"] = str(options.weight_bits)
    save(
        graph,
        out / file,
        external=bool(profile) and profile != "portable",
        metadata={**source.metadata, **facts},
    )
    return (Variant(format="onnx", file=file, storage=way.dtype, profile=profile),)


def _quantise_layers(
    source: Source,
    artifact: Artifact,
    recipe: Recipe,
    options: Options,
    batches: Sequence[TokenBatch],
) -> dict[str, str]:
    parts = find_parts(source.graph)
    plan = _plan(parts, recipe.name, options, artifact.path.name)
    linear = [part for part in parts if part.layer.kind == "linear"]
    calibrated = [part for part in linear if plan[part.layer.name] == "static_int8"]
    if calibrated and not batches:
        raise UsageError(f"{recipe.name} learns the ranges of activations from texts; give some")
    ranges = activation_ranges(source, artifact, _read(calibrated), _read(linear), batches)
    rewrite(source.graph, parts, plan, ranges, options)
    return plan


def _read(parts: Sequence[Part]) -> dict[str, int]:
    """The activations that layers read → channels."""
    return {part.node.input[0]: part.layer.inputs for part in parts}


def _plan(parts: Sequence[Part], recipe: str, options: Options, name: str) -> dict[str, str]:
    plan = {part.layer.name: recipe for part in parts}
    if not plan:
        raise UsageError(
            f"{name} holds nothing to quantise: no linear layer with a fixed weight, and no large "
            f"table"
        )
    if unknown := set(options.layers) - set(plan):
        some = ", ".join(list(plan)[:4])
        raise UsageError(
            f"{name} has no layer {', '.join(sorted(unknown)[:4])}; it has {len(plan)}: {some}, …"
        )
    return plan | dict(options.layers)
