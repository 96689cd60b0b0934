"""Rotary positions: how fast each pair of units turns, and the tables of angles.

Su et al. 2021, arXiv:2104.09864. Angles are rounded to float32 where transformers rounds them:
far into a long text that makes a difference, and models were trained with it.
"""

from __future__ import annotations

import math

import numpy as np
from attrs import frozen
from numpy.typing import NDArray

from hotbed.errors import UnsupportedModelError
from hotbed_onnx.attention import Rope
from hotbed_onnx.blocks.pairs import count_up
from hotbed_onnx.configuration import FULL, SLIDING, Config, read_number, read_object
from hotbed_onnx.draft import Draft

__all__ = ["Rotation", "flat_parameters", "nested_parameters", "read_rotation", "turn"]

Floats = NDArray[np.float32]

_KEYS: dict[str, tuple[str, ...]] = {
    "default": (),
    "linear": ("factor",),
    "ntk": ("factor", "mixed_b"),
    "dynamic": ("factor",),
}
"""Kind of scaling → what it reads, besides its name and ``rope_theta``."""


_MOST_POSITIONS = 2**20
"""No tensor proves how many there are, and each takes up to a kilobyte."""


@frozen(kw_only=True)
class Rotation:
    """How positions turn a head.

    Attributes:
        size: Units of the head; unit i turns with unit i + size / 2.
        theta: The base: pair i turns by theta^(-2i / size) a position.
        kind: ``default``; ``linear``, slower by ``factor``; ``ntk``, by a fixed stretch of the
            base (kexue.fm/archives/9706), as in GTE; ``dynamic``, by a stretch that grows with
            the text beyond ``trained`` tokens.
        factor: Of the scaling.
        mixed: GTE's exponent ``mixed_b``; None for its plain form.
        trained: Tokens up to which a dynamic rotation is the default one.
    """

    size: int
    theta: float
    kind: str = "default"
    factor: float = 1.0
    mixed: float | None = None
    trained: int = 0

    @property
    def exponents(self) -> Floats:
        """2i / size for each pair, (size / 2,)."""
        return np.arange(0, self.size, 2, dtype=np.float32) / np.float32(self.size)

    def frequencies(self) -> Floats:
        """Radians a position for each pair, (size / 2,); for ``dynamic``, those of short texts."""
        stretched = self.kind == "ntk" and self.mixed is None
        base = np.float32(self.theta * self.factor if stretched else self.theta)
        turns = np.float32(1) / base**self.exponents
        if self.kind == "linear":
            return turns / np.float32(self.factor)
        if stretched:
            return turns / np.float32(self.factor ** (2 / self.size))
        if self.kind == "ntk" and self.mixed is not None:
            pairs = np.arange(1, self.size // 2 + 1, dtype=np.float32)
            slope = np.float32(math.log(self.factor) / (self.size / 2) ** self.mixed)
            return turns / np.exp(slope * pairs ** np.float32(self.mixed))
        return turns


def read_rotation(parameters: Config, *, size: int, theta: float, trained: int = 0) -> Rotation:
    """Read ``rope_parameters``, or ``rope_scaling`` as it was before transformers 5.

    Args:
        parameters: The object.
        size: Units of a head.
        theta: The base where the object does not state it.
        trained: The model's positions, from which dynamic scaling counts.

    Raises:
        UnsupportedModelError: The kind of scaling, or something it is told, is not known.
    """
    kind = parameters.get("rope_type") or parameters.get("type") or "default"
    if kind not in _KEYS:
        raise UnsupportedModelError(f"rope_type is {kind!r}; the builder knows {', '.join(_KEYS)}")
    known = {"rope_type", "type", "rope_theta", *_KEYS[kind]}
    others = [f"{key}={value!r}" for key, value in parameters.items() if key not in known]
    others = [item for item in others if item != "partial_rotary_factor=1.0"]
    if others or size % 2:
        said = ", ".join(others) or f"a head of {size} units"
        raise UnsupportedModelError(f"rope_type {kind!r} with {said} is not known to the builder")
    return Rotation(
        size=size,
        theta=read_number(parameters, "rope_theta", theta),
        kind=kind,
        factor=read_number(parameters, "factor", 1.0),
        mixed=read_number(parameters, "mixed_b", 0.0) or None,
        trained=trained,
    )


def flat_parameters(config: Config) -> Config:
    """``rope_scaling``, or ``rope_parameters`` as they are since transformers 5.

    Raises:
        UnsupportedModelError: They are stated for each kind of layer.
    """
    stated = read_object(config, "rope_scaling") or read_object(config, "rope_parameters")
    if {FULL, SLIDING} & set(stated):
        raise UnsupportedModelError(
            f"rope_parameters is {dict(stated)!r}; this family has one kind of layer"
        )
    return stated


def nested_parameters(config: Config, kind: str) -> Config:
    """``rope_parameters`` of one kind of layer; an empty object where they are not stated.

    Raises:
        UnsupportedModelError: They are stated for no kind: which one was meant?
    """
    stated = read_object(config, "rope_parameters")
    if stated and not {FULL, SLIDING} & set(stated):
        raise UnsupportedModelError(
            f"rope_parameters is {stated!r}; this family's are stated for each kind of layer"
        )
    return read_object(stated, kind)


def turn(
    draft: Draft, rotation: Rotation, label: str, ids: str, padding: str, positions: int
) -> Rope:
    """Draw the angles of every token.

    Args:
        draft: What to draw with.
        rotation: How positions turn a head.
        label: Beginning of the tables' names.
        ids: (batch, tokens) int64.
        padding: (batch, tokens) int64, 0 on padding.
        positions: The most tokens that the model is made for.
    """
    if rotation.kind == "dynamic":
        return _dynamic(draft, rotation, label, ids, padding)
    shape = (max(positions, draft.longest), rotation.size // 2)
    if shape[0] > _MOST_POSITIONS:
        raise UnsupportedModelError(
            f"max_position_embeddings is {positions} and max_seq_length {draft.longest}; the "
            f"builder makes tables for at most {_MOST_POSITIONS} rotary positions"
        )

    def angles() -> NDArray[np.float64]:
        rows = np.arange(shape[0], dtype=np.float32)
        return np.outer(rows, rotation.frequencies()).astype(np.float64)

    cos = draft.graph.weight(f"{label}.cos", shape, lambda: np.cos(angles()).astype(np.float32))
    sin = draft.graph.weight(f"{label}.sin", shape, lambda: np.sin(angles()).astype(np.float32))
    return draft.emit.rope(draft.graph, cos, sin, ids)


def _dynamic(draft: Draft, rotation: Rotation, label: str, ids: str, padding: str) -> Rope:
    """Angles from the text's own length, so that its vector does not depend on its batch."""
    graph = draft.graph
    half, size = rotation.size // 2, rotation.size
    count = graph.op("ReduceSum", padding, graph.constant([1], "int64"), keepdims=1)
    count = graph.op("Max", count, graph.constant(rotation.trained, "int64"))
    # In float64, as an error in the base would grow with the position.
    times = graph.op("Cast", count, to=11)  # 11 = DOUBLE
    slope = graph.constant(rotation.factor / rotation.trained, "float64")
    times = graph.op("Mul", times, slope)
    times = graph.op("Sub", times, graph.constant(rotation.factor - 1, "float64"))
    base = graph.op("Pow", times, graph.constant(size / (size - 2), "float64"))
    base = graph.op("Mul", base, graph.constant(rotation.theta, "float64"))
    exponents = graph.weight(
        f"{label}.exponents", (half,), lambda: -rotation.exponents.astype(np.float64), "float64"
    )
    turns = graph.op("Cast", graph.op("Pow", base, exponents), to=1)  # (batch, half); 1 = FLOAT
    columns = graph.op("Cast", count_up(graph, graph.op("Shape", ids, start=1, end=2)), to=1)
    places = graph.op("Unsqueeze", columns, graph.constant([0, 2], "int64"))
    angles = graph.op("Mul", places, graph.op("Unsqueeze", turns, graph.constant([1], "int64")))
    rows = graph.op("Reshape", angles, graph.constant([-1, half], "int64"))
    numbers = count_up(graph, graph.op("Size", ids))
    positions = graph.op("Reshape", numbers, graph.op("Shape", ids))
    cos, sin = graph.op("Cos", rows), graph.op("Sin", rows)
    return draft.emit.rope(graph, cos, sin, ids, positions)
