"""A graph being drawn: the nodes, the profile that chooses them, and the checkpoint behind them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from attrs import frozen
from numpy.typing import NDArray

from hotbed_onnx.checkpoint import Checkpoint
from hotbed_onnx.graph import Graph
from hotbed_onnx.profiles import Emitter

__all__ = ["Draft"]

Floats = NDArray[np.float32]


@frozen(kw_only=True)
class Draft:
    """What an architecture draws with. Tensors are named as the architecture names them.

    Attributes:
        graph: The graph.
        emit: The profile's operators.
        tensors: The checkpoint. Every tensor named is claimed now and read at writing.
        longest: The most tokens that the folder lets a text have; 0 where it sets no limit.
    """

    graph: Graph
    emit: Emitter
    tensors: Checkpoint
    longest: int = 0

    def vector(self, name: str, size: int, *, plus: float = 0.0) -> str:
        """A bias or a scale, (size,), with a number added to each value."""
        return self.computed(
            name, (size,), [name], lambda: self.tensors.read(name, (size,)) + np.float32(plus)
        )

    def computed(
        self,
        label: str,
        shape: tuple[int, ...],
        names: Sequence[str],
        read: Callable[[], Floats],
        shapes: Sequence[tuple[int, ...]] = (),
    ) -> str:
        """A weight that is made of tensors.

        Args:
            label: Its name in the graph.
            shape: Its shape.
            names: The tensors that it is made of.
            read: Makes it.
            shapes: Their shapes; none: all have the weight's own.
        """
        for name, wanted in zip(names, shapes or [shape] * len(names), strict=True):
            self.tensors.claim(name, wanted)
        return self.graph.weight(label, shape, read)

    def table(
        self,
        label: str,
        name: str,
        shape: tuple[int, int],
        change: Callable[[Floats], Floats] = lambda rows: rows,
    ) -> str:
        """A tensor that is read some rows at a time, each time changed, because it may be huge.

        Args:
            label: Its name in the graph.
            name: The tensor.
            shape: Its shape, and the weight's.
            change: Changes some of the rows.
        """
        self.tensors.claim(name, shape)
        return self.graph.table(
            label, shape, lambda rows: change(self.tensors.read(name, shape, rows))
        )

    def kernel(self, label: str, names: Sequence[str], rows: Sequence[int], columns: int) -> str:
        """Weights of linear layers that read the same input, side by side: (columns, sum of rows).

        Args:
            label: Its name in the graph, less the ending.
            names: The layers, less ``.weight``.
            rows: Output units of each.
            columns: Input units.
        """
        shapes = [(count, columns) for count in rows]
        tensors = [f"{name}.weight" for name in names]

        def read() -> Floats:
            parts = [self.tensors.read(*pair) for pair in zip(tensors, shapes, strict=True)]
            return (parts[0] if len(parts) == 1 else np.concatenate(parts)).T

        return self.computed(f"{label}.kernel", (columns, sum(rows)), tensors, read, shapes)

    def bias(self, label: str, names: Sequence[str], sizes: Sequence[int]) -> str:
        """Biases of linear layers, one after the other: (sum of sizes,)."""
        shapes = [(size,) for size in sizes]
        tensors = [f"{name}.bias" for name in names]

        def read() -> Floats:
            return np.concatenate(
                [self.tensors.read(*pair) for pair in zip(tensors, shapes, strict=True)]
            )

        return self.computed(f"{label}.bias", (sum(sizes),), tensors, read, shapes)

    def scale_shift(self, name: str, size: int) -> tuple[str, str]:
        """Scale and shift of a layer norm."""
        return self.vector(f"{name}.weight", size), self.vector(f"{name}.bias", size)
