"""Put quantised operators in the place of linear layers and tables."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from attrs import define, field
from numpy.typing import NDArray

from hotbed_onnx.graph import CONTRIB, Graph, Tensor
from hotbed_onnx.quantising import arithmetic
from hotbed_onnx.quantising.arithmetic import Range, require_finite
from hotbed_onnx.quantising.layers import Part
from hotbed_onnx.quantising.options import Options
from hotbed_onnx.quantising.recipes import BY_NAME, FLOAT32

__all__ = ["rewrite"]

_BLOCK = 32
"""Values that share a scale, as in the hub's 4-bit files."""

_ROWS = 4096
"""Rows of a table that are read at once: 16 MB of a thousand columns."""

_LEAST_BLOCK = 16
"""What GatherBlockQuantized takes at least."""

Floats = NDArray[np.float32]


def rewrite(
    graph: Graph,
    parts: Sequence[Part],
    plan: Mapping[str, str],
    ranges: Mapping[str, Range],
    options: Options,
) -> None:
    """Rewrite a graph in place; weights are rounded when it is written.

    Args:
        graph: The graph.
        parts: What can be quantised in it.
        plan: Layer → recipe, or ``float32``.
        ranges: Of the activations that layers of the recipe ``static_int8`` read.
        options: How.

    Raises:
        ConversionError: A weight holds NaN or infinity.
    """
    work = _Work(graph=graph, options=options, ranges=ranges)
    chosen = {id(p.node): p for p in parts if plan[p.layer.name] != FLOAT32}
    work.readers = [p for p in chosen.values() if plan[p.layer.name] == "static_int8"]
    nodes, graph.nodes = graph.nodes, []
    for node in nodes:
        part = chosen.get(id(node))
        if part is None:
            graph.nodes.append(node)
        else:
            _WRITERS[part.layer.kind, plan[part.layer.name]](work, part)
    used = {name for node in graph.nodes for name in _names(node)}
    for name in [name for name in graph.tensors if name not in used]:
        del graph.tensors[name]


def _names(node: Any) -> set[str]:
    """What a node reads, its branches included."""
    found = set(node.input)
    for attribute in node.attribute:
        for inner in attribute.g.node:
            found |= _names(inner)
    return found


@define(kw_only=True, eq=False)
class _Work:
    """The graph being rewritten.

    Attributes:
        graph: The graph.
        options: How.
        ranges: Of activations.
        readers: The parts that read calibrated activations.
    """

    graph: Graph
    options: Options
    ranges: Mapping[str, Range]
    readers: list[Part] = field(factory=list)
    _rounded: dict[str, tuple[str, Floats | None]] = field(factory=dict)

    def weight(self, part: Part, smooth: Floats | None = None) -> Callable[[], Floats]:
        """Reads a layer's weight, (in, out) float32, checked, smoothed where it is."""
        tensor = self.graph.tensors[part.weight]

        def read() -> Floats:
            values: Floats = np.asarray(tensor.read(slice(None)), dtype=np.float32)
            require_finite(part.weight, values)
            return values if smooth is None else values * smooth[:, None]

        return read

    def add(self, name: str, shape: tuple[int, ...], kind: str, read: Callable[[], Any]) -> str:
        """A weight of the new graph; one that is there already is shared."""
        if name not in self.graph.tensors:
            self.graph.weight(name, shape, read, kind)
        return name

    def value(self, name: str, array: NDArray[Any]) -> str:
        return self.add(name, array.shape, array.dtype.name, lambda: array)

    def rounded(self, part: Part) -> tuple[str, Floats | None]:
        """A calibrated activation, rounded and read back, and how it was smoothed; made once."""
        name = part.node.input[0]
        if name not in self._rounded:
            self._rounded[name] = self._round(name)
        return self._rounded[name]

    def _round(self, name: str) -> tuple[str, Floats | None]:
        graph, known, value = self.graph, self.ranges[name], name
        factors = None
        if self.options.smoothing:
            together = [self.weight(p)() for p in self.readers if p.node.input[0] == name]
            largest = np.max([np.abs(w).max(axis=1) for w in together], axis=0)
            factors = arithmetic.smoothing(known, largest, self.options.smoothing)
            known = known.divided(factors)
            value = graph.op("Mul", name, self.value(f"{name}/smoothing", 1 / factors))
        scale, zero = arithmetic.affine(float(known.low.min()), float(known.high.max()))
        grid = (
            self.value(f"{name}/scale", np.asarray(scale)),
            self.value(f"{name}/zero", np.asarray(zero)),
        )
        rounded = graph.op("QuantizeLinear", value, *grid, out=f"{name}/rounded")
        return graph.op("DequantizeLinear", rounded, *grid, out=f"{name}/read_back"), factors


def _static(work: _Work, part: Part) -> None:
    """The product of two rounded values that are read back: runtimes multiply the integers."""
    rounded, factors = work.rounded(part)
    whole, scales = _columns(work, part, "smoothed", factors)
    zeros = work.value(f"zeros_int8_{part.layer.outputs}", np.zeros(part.layer.outputs, np.int8))
    wide = work.graph.op("DequantizeLinear", whole, scales, zeros, axis=1)
    work.graph.op("MatMul", rounded, wide, out=part.node.output[0])


def _dynamic(work: _Work, part: Part) -> None:
    """As ONNX Runtime's quantize_dynamic writes it, so that runtimes know it."""
    graph, name = work.graph, part.node.output[0]
    whole, scales = _columns(work, part, "rounded", None)
    rounded, scale, zero = graph.ops(
        "DynamicQuantizeLinear",
        part.node.input[0],
        names=(f"{name}/rounded", f"{name}/scale", f"{name}/zero"),
    )
    product = graph.op("MatMulInteger", rounded, whole, zero)
    product = graph.op("Cast", product, to=1)  # 1 = FLOAT
    graph.op("Mul", product, graph.op("Mul", scale, scales), out=name)


def _columns(work: _Work, part: Part, how: str, factors: Floats | None) -> tuple[str, str]:
    """A weight as (in, out) int8, and its scales, (out,)."""
    bits, read = work.options.weight_bits, work.weight(part, factors)
    shape = (part.layer.inputs, part.layer.outputs)
    scales = arithmetic.columns(read(), bits=bits)[1]
    return (
        work.add(
            f"{part.weight}/{how}",
            shape,
            "int8",
            lambda: arithmetic.columns(read(), bits=bits)[0],
        ),
        work.value(f"{part.weight}/{how}_scales", scales),
    )


def _blocks(bits: int) -> Callable[[_Work, Part], None]:
    def write(work: _Work, part: Part) -> None:
        count, width = part.layer.outputs, part.layer.inputs
        groups = -(-width // _BLOCK)
        read = work.weight(part)

        def whole() -> NDArray[np.uint8]:
            found, _ = arithmetic.blocks(read().T, bits=bits, size=_BLOCK)
            return found if bits == 8 else arithmetic.pack_nibbles(found)

        scales = arithmetic.blocks(read().T, bits=bits, size=_BLOCK)[1]
        label = f"{part.weight}/{bits}bit"
        attributes = {"K": width, "N": count, "bits": bits, "block_size": _BLOCK}
        if work.options.accuracy_level:
            attributes["accuracy_level"] = work.options.accuracy_level
        work.graph.op(
            "MatMulNBits",
            part.node.input[0],
            work.add(label, (count, groups, _BLOCK * bits // 8), "uint8", whole),
            work.value(f"{label}_scales", scales.reshape(-1)),
            domain=CONTRIB,
            out=part.node.output[0],
            **attributes,
        )

    return write


def _rows(work: _Work, part: Part) -> None:
    """A table with a scale for each row, in plain operators."""
    graph, (table, indices), name = work.graph, part.node.input, part.node.output[0]
    source, count, width = graph.tensors[table], part.layer.inputs, part.layer.outputs

    def read(rows: slice) -> Floats:
        return _checked(source, rows)

    whole = _table(
        graph, f"{table}/rows", (count, width), "int8", lambda r: arithmetic.rows(read(r))[0]
    )
    scales = _table(
        graph, f"{table}/row_scales", (count, 1), "float32", lambda r: arithmetic.rows(read(r))[1]
    )
    taken = graph.op("Cast", graph.op("Gather", whole, indices, axis=0), to=1)
    graph.op("Mul", taken, graph.op("Gather", scales, indices, axis=0), out=name)


def _block_rows(bits: int) -> Callable[[_Work, Part], None]:
    def write(work: _Work, part: Part) -> None:
        count, width = part.layer.inputs, part.layer.outputs
        size = next((s for s in (_BLOCK, _LEAST_BLOCK) if width % s == 0), 0)
        if not size:  # no block divides the row
            _rows(work, part)
            return
        graph, (table, indices) = work.graph, part.node.input
        source = graph.tensors[table]

        def whole(rows: slice) -> NDArray[np.uint8]:
            found, _ = arithmetic.blocks(_checked(source, rows), bits=bits, size=size)
            found = found if bits == 8 else arithmetic.pack_nibbles(found)
            return found.reshape(found.shape[0], -1)

        def scales(rows: slice) -> Floats:
            return arithmetic.blocks(_checked(source, rows), bits=bits, size=size)[1]

        label = f"{table}/{bits}bit"
        graph.op(
            "GatherBlockQuantized",
            _table(graph, label, (count, width * bits // 8), "uint8", whole),
            indices,
            _table(graph, f"{label}_scales", (count, width // size), "float32", scales),
            domain=CONTRIB,
            out=part.node.output[0],
            bits=bits,
            block_size=size,
            gather_axis=0,
            quantize_axis=1,
        )

    return write


def _checked(tensor: Tensor, rows: slice) -> Floats:
    values: Floats = np.asarray(tensor.read(rows), dtype=np.float32)
    require_finite(tensor.name, values)
    return values


def _table(
    graph: Graph, name: str, shape: tuple[int, int], kind: str, read: Callable[[slice], Any]
) -> str:
    """A table that is made from another, a few of whose rows are read at a time.

    How many does not follow from this table's own size: of scales a block would be all rows.
    """

    def in_parts(rows: slice) -> Any:
        start, stop, _ = rows.indices(shape[0])
        parts = [read(slice(at, min(at + _ROWS, stop))) for at in range(start, stop, _ROWS)]
        return np.concatenate(parts)

    dtype = np.dtype(kind)
    graph.tensors[name] = Tensor(name=name, shape=shape, dtype=dtype, read=in_parts, by_rows=True)
    return name


_WRITERS: dict[tuple[str, str], Callable[[_Work, Part], None]] = {
    ("linear", "static_int8"): _static,
    ("linear", "dynamic_int8"): _dynamic,
    ("linear", "weights_8bit"): _blocks(8),
    ("linear", "weights_4bit"): _blocks(4),
    ("table", "static_int8"): _rows,
    ("table", "dynamic_int8"): _rows,
    ("table", "weights_8bit"): _block_rows(8),
    ("table", "weights_4bit"): _block_rows(4),
}
assert {name for _, name in _WRITERS} == {way.recipe for way in BY_NAME.values() if way.mixes}
