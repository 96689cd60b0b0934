"""What a recipe can be told, read from the options that came with it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from attrs import field, frozen

from hotbed.backends import Recipe
from hotbed.errors import UsageError
from hotbed_onnx.integers import here, without_vnni
from hotbed_onnx.quantising.recipes import BY_NAME, FLOAT32

__all__ = ["Options", "read_options"]

_SMOOTHING = 0.7
"""Mean cosine of MiniLM's static int8: 0.9918 without, 0.9974 with it (docs/quantisation.md)."""

_FAST_BLOCKS = 4
"""MatMulNBits' accuracy level that multiplies 8-bit integers: fast on CPUs."""


@frozen(kw_only=True)
class Options:
    """The options.

    Attributes:
        layers: Layer → another recipe that mixes, or ``float32``.
        smoothing: How much of the activations' range moves into the weights, 0 to 1; 0: none.
        weight_bits: Of integers: 8, or 7 for x86 CPUs without VNNI, whose sums would overflow.
            What this machine needs, unless it is said.
        accuracy_level: Of MatMulNBits; 0 leaves it to the runtime.
    """

    layers: Mapping[str, str] = field(factory=dict)
    smoothing: float = _SMOOTHING
    weight_bits: int = 8
    accuracy_level: int = _FAST_BLOCKS


def read_options(recipe: Recipe, profile: str) -> Options:
    """Read them.

    Args:
        recipe: The recipe.
        profile: Whom the graph is for; a portable one leaves the accuracy level to the runtime.

    Raises:
        UsageError: One is not known, or its value is not one it can have.
    """
    known = ("layers", "smoothing", "weight_bits", "accuracy_level")
    given = dict(recipe.options)
    problems = [f"{name!r} is not an option" for name in given if name not in known]
    smoothing = _number(given, "smoothing", _SMOOTHING)
    if not 0 <= smoothing <= 1:
        problems.append(f"smoothing={given['smoothing']!r} is not between 0 and 1")
    bits = given.get("weight_bits", 7 if without_vnni(here()) else 8)
    if bits not in (7, 8):
        problems.append(f"weight_bits={bits!r} is not 7 or 8")
    level = given.get("accuracy_level", _FAST_BLOCKS if profile == "cpu" else 0)
    if level not in (0, 1, 2, 3, 4):
        problems.append(f"accuracy_level={level!r} is not 0 to 4")
    layers = given.get("layers", {})
    mixing = [name for name, way in BY_NAME.items() if way.mixes]
    allowed = (*mixing, FLOAT32)
    if not isinstance(layers, Mapping):
        problems.append(f"layers={layers!r} is not a mapping of layers to recipes")
    elif wrong := {name for name in layers.values() if name not in allowed}:
        problems.append(f"layers cannot be {', '.join(map(repr, sorted(wrong)))}")
    elif layers and not BY_NAME[recipe.name].mixes:
        problems.append(f"{recipe.name} takes no layers: it is done to the whole graph")
    if problems:
        raise UsageError(
            f"{recipe.name}: {'; '.join(problems)}; options are {', '.join(known)}, and layers can "
            f"be {', '.join(allowed)}"
        )
    return Options(layers=dict(layers), smoothing=smoothing, weight_bits=bits, accuracy_level=level)


def _number(given: Mapping[str, Any], name: str, default: float) -> float:
    value = given.get(name, default)
    return float(value) if isinstance(value, int | float) else -1.0
