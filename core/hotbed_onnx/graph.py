"""Draw an ONNX graph node by node.

Weights are given as functions and read when the file is written, one at a time, so that building
needs the memory of the largest tensor and not of the model.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from attrs import define, field, frozen
from numpy.typing import NDArray

__all__ = ["CONTRIB", "Graph", "Tensor", "onnx_type"]

CONTRIB = "com.microsoft"
"""The domain of ONNX Runtime's own operators."""

Array = NDArray[Any]


_BLOCK = 2**25
"""Bytes of a table that are held at a time."""


@frozen(kw_only=True)
class Tensor:
    """A weight: its name, shape and type, and the function that reads it.

    Attributes:
        name: Its name in the graph.
        shape: Its shape.
        dtype: Its type.
        read: Reads it; where it may be read by rows, those.
        by_rows: Whether it may be read a few rows at a time.
    """

    name: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    read: Callable[[slice], Array]
    by_rows: bool = False

    @property
    def nbytes(self) -> int:
        """Bytes of the raw data."""
        return int(np.prod(self.shape, dtype=np.int64)) * self.dtype.itemsize

    def blocks(self) -> Iterator[Array]:
        """Its values from front to back, C-contiguous, in one piece or in several."""
        if not self.by_rows:
            yield self._checked(slice(None), self.shape)
            return
        count = self.shape[0]
        step = max(1, _BLOCK * count // max(1, self.nbytes))
        for start in range(0, count, step):
            rows = slice(start, min(start + step, count))
            yield self._checked(rows, (rows.stop - start, *self.shape[1:]))

    def _checked(self, rows: slice, shape: tuple[int, ...]) -> Array:
        array = np.asarray(self.read(rows), dtype=self.dtype, order="C")
        assert array.shape == shape, (self.name, array.shape, shape)
        return array


@define
class Graph:
    """A graph under construction. Values are named by strings, as in the file.

    Attributes:
        name: Its name.
        opset: Of ONNX's own operators.
        nodes: In the order in which they run.
        inputs: Declared.
        outputs: Declared.
        tensors: Weights and constants.
        domains: Of the operators that are not ONNX's own.
        taken: Names that somebody else gave, where the graph was read.
    """

    name: str
    opset: int
    nodes: list[Any] = field(factory=list)
    inputs: list[Any] = field(factory=list)
    outputs: list[Any] = field(factory=list)
    tensors: dict[str, Tensor] = field(factory=dict)
    domains: set[str] = field(factory=set)
    taken: set[str] = field(factory=set)
    _counts: dict[str, int] = field(factory=dict)

    def input(self, name: str, kind: str, shape: Sequence[str | int]) -> str:
        """Declare an input; ``kind`` is a numpy type name."""
        self.inputs.append(_value_info(name, kind, shape))
        return name

    def output(self, value: str, name: str, kind: str, shape: Sequence[str | int]) -> str:
        """Declare ``value`` an output under another name."""
        self.op("Identity", value, out=name)
        self.outputs.append(_value_info(name, kind, shape))
        return name

    def op(
        self, kind: str, *inputs: str, domain: str = "", out: str = "", **attributes: Any
    ) -> str:
        """Add a node with one output and give that output's name."""
        return self.ops(
            kind, *inputs, domain=domain, names=(out or self._fresh(kind),), **attributes
        )[0]

    def ops(
        self, kind: str, *inputs: str, domain: str = "", names: tuple[str, ...], **attributes: Any
    ) -> tuple[str, ...]:
        """Add a node with the outputs named."""
        from onnx import helper

        if domain:
            self.domains.add(domain)
        label = f"{kind}/{names[0]}"
        self.nodes.append(
            helper.make_node(kind, list(inputs), list(names), label, domain=domain, **attributes)
        )
        return names

    def choose(self, condition: str, yes: Callable[[], str], no: Callable[[], str]) -> str:
        """Add an ``If`` whose branches give one float32 value each; both may use what is drawn."""
        from onnx import helper

        branches = []
        for draw in (yes, no):
            outer, self.nodes = self.nodes, []
            value = draw()
            info = helper.make_tensor_value_info(value, onnx_type(np.dtype("float32")), None)
            branches.append(helper.make_graph(self.nodes, draw.__name__, [], [info]))
            self.nodes = outer
        return self.op("If", condition, then_branch=branches[0], else_branch=branches[1])

    def weight(
        self, name: str, shape: tuple[int, ...], read: Callable[[], Array], dtype: str = "float32"
    ) -> str:
        """Add a weight that ``read`` gives when the file is written."""
        self.tensors[name] = Tensor(
            name=name, shape=shape, dtype=np.dtype(dtype), read=lambda rows: read()
        )
        return name

    def table(self, name: str, shape: tuple[int, ...], read: Callable[[slice], Array]) -> str:
        """Add a float32 weight so large that it is read and written a few rows at a time."""
        self.tensors[name] = Tensor(
            name=name, shape=shape, dtype=np.dtype("float32"), read=read, by_rows=True
        )
        return name

    def constant(self, value: Any, dtype: str) -> str:
        """Add a small constant; equal ones are stored once."""
        array = np.asarray(value, dtype=dtype)
        name = f"const_{dtype}_{'x'.join(map(str, array.shape)) or 'scalar'}_"
        name += "_".join(f"{item:g}" for item in array.ravel().tolist())
        while name in self.tensors and not _holds(self.tensors[name], array):
            name += "'"  # another number that reads the same when it is shortened
        return self.weight(name, array.shape, lambda: array, dtype)

    def _fresh(self, kind: str) -> str:
        while True:
            count = self._counts[kind] = self._counts.get(kind, 0) + 1
            if (name := f"{kind}_{count}") not in self.taken:
                return name


def _holds(tensor: Tensor, array: Array) -> bool:
    return np.array_equal(tensor.read(slice(None)), array)


def _value_info(name: str, kind: str, shape: Sequence[str | int]) -> Any:
    from onnx import helper

    return helper.make_tensor_value_info(name, onnx_type(np.dtype(kind)), list(shape))


def onnx_type(dtype: np.dtype[Any]) -> int:
    """ONNX's number of a numpy type."""
    from onnx import helper

    return int(helper.np_dtype_to_tensor_dtype(dtype))
