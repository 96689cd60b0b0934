"""Write an ONNX graph node by node, its weights streamed to disk.

Weights are given as functions and read when the file is written, one at a time, so that building
needs the memory of the largest tensor and not of the model.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from attrs import define, field, frozen
from numpy.typing import NDArray

__all__ = ["CONTRIB", "Graph", "Tensor", "save"]

CONTRIB = "com.microsoft"
"""The domain of ONNX Runtime's own operators."""

_ALIGNMENT = 4096
"""External tensors start on page borders, so that a runtime can map them."""

INLINE_LIMIT = 2**31 - 2**20
"""protobuf refuses messages of 2 GiB; a megabyte is left for the nodes."""

Array = NDArray[Any]


@frozen(kw_only=True)
class Tensor:
    """A weight: its name, shape and type, and the function that reads it."""

    name: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    read: Callable[[], Array]

    @property
    def nbytes(self) -> int:
        """Bytes of the raw data."""
        return int(np.prod(self.shape, dtype=np.int64)) * self.dtype.itemsize


@define
class Graph:
    """A graph under construction. Values are named by strings, as in the file."""

    name: str
    opset: int
    nodes: list[Any] = field(factory=list)
    inputs: list[Any] = field(factory=list)
    outputs: list[Any] = field(factory=list)
    tensors: dict[str, Tensor] = field(factory=dict)
    domains: set[str] = field(factory=set)
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

    def weight(
        self, name: str, shape: tuple[int, ...], read: Callable[[], Array], dtype: str = "float32"
    ) -> str:
        """Add a weight that ``read`` gives when the file is written."""
        self.tensors[name] = Tensor(name=name, shape=shape, dtype=np.dtype(dtype), read=read)
        return name

    def constant(self, value: Any, dtype: str) -> str:
        """Add a small constant; equal ones are stored once."""
        array = np.asarray(value, dtype=dtype)
        name = f"const_{dtype}_{'x'.join(map(str, array.shape)) or 'scalar'}_"
        name += "_".join(f"{item:g}" for item in array.ravel().tolist())
        while name in self.tensors and not np.array_equal(self.tensors[name].read(), array):
            name += "'"  # another number that reads the same when it is shortened
        return self.weight(name, array.shape, lambda: array, dtype)

    def _fresh(self, kind: str) -> str:
        count = self._counts[kind] = self._counts.get(kind, 0) + 1
        return f"{kind}_{count}"


def _value_info(name: str, kind: str, shape: Sequence[str | int]) -> Any:
    from onnx import helper

    return helper.make_tensor_value_info(name, _onnx_type(np.dtype(kind)), list(shape))


def _onnx_type(dtype: np.dtype[Any]) -> int:
    from onnx import helper

    return int(helper.np_dtype_to_tensor_dtype(dtype))


def save(graph: Graph, path: Path, *, external: bool, metadata: dict[str, str]) -> None:
    """Write the graph; weights inside the file, or in ``<name>_data`` beside it.

    Args:
        graph: The graph.
        path: The ``.onnx`` file.
        external: Whether weights go beside the file. They do in any case above 2 GiB.
        metadata: Stored as the model's properties.

    Raises:
        OSError: The disk is full, or refuses; the caller owns the folder and removes it.
    """
    external = external or sum(t.nbytes for t in graph.tensors.values()) > INLINE_LIMIT
    model = _without_weights(graph, metadata)
    # Added in place: handing finished tensors over would copy every weight twice.
    add = model.graph.initializer.add
    if external:
        _write_external(graph, path.with_name(path.name + "_data"), add)
    else:
        for tensor in graph.tensors.values():
            _fill(add(), tensor)
    path.write_bytes(model.SerializeToString())


def _without_weights(graph: Graph, metadata: dict[str, str]) -> Any:
    from onnx import helper

    proto = helper.make_graph(graph.nodes, graph.name, graph.inputs, graph.outputs)
    opsets = [helper.make_opsetid("", graph.opset)]
    opsets += [helper.make_opsetid(domain, 1) for domain in sorted(graph.domains)]
    model = helper.make_model(proto, opset_imports=opsets, producer_name="hotbed", ir_version=8)
    helper.set_model_props(model, metadata)
    return model


def _checked(tensor: Tensor) -> Array:
    array = np.asarray(tensor.read(), dtype=tensor.dtype, order="C")
    assert array.shape == tensor.shape, (tensor.name, array.shape, tensor.shape)
    return array


def _declare(proto: Any, tensor: Tensor) -> None:
    proto.name = tensor.name
    proto.data_type = _onnx_type(tensor.dtype)
    proto.dims.extend(tensor.shape)


def _fill(proto: Any, tensor: Tensor) -> None:
    _declare(proto, tensor)
    proto.raw_data = _checked(tensor).tobytes()


def _write_external(graph: Graph, path: Path, add: Callable[[], Any]) -> None:
    """Stream large tensors into ``path``; small ones stay inside, for shape inference."""
    from onnx import TensorProto

    with path.open("wb") as file:
        for tensor in graph.tensors.values():
            if tensor.nbytes < _ALIGNMENT:
                _fill(add(), tensor)
                continue
            file.write(b"\0" * (-file.tell() % _ALIGNMENT))
            proto = add()
            _declare(proto, tensor)
            proto.data_location = TensorProto.EXTERNAL
            where = {"location": path.name, "offset": file.tell(), "length": tensor.nbytes}
            for key, value in where.items():
                proto.external_data.add(key=key, value=str(value))
            file.write(_checked(tensor).data)
