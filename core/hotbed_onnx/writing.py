"""Write a graph to disk, its weights one at a time.

A file with its weights inside is written without protobuf's help: protobuf holds the whole message
in memory, and once more as bytes. The lengths of all parts are known before the first weight is
read, so that the message can be written from front to back.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, BinaryIO

from hotbed_onnx.graph import Graph, Tensor, onnx_type

__all__ = ["INLINE_LIMIT", "save"]

_ALIGNMENT = 4096
"""External tensors start on page borders, so that a runtime can map them."""

INLINE_LIMIT = 2**31 - 2**20
"""protobuf refuses messages of 2 GiB; a megabyte is left for the nodes."""


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
    model = _without_weights(graph, metadata)
    external = external or sum(t.nbytes for t in graph.tensors.values()) > INLINE_LIMIT
    if external:
        _write_external(graph, path.with_name(path.name + "_data"), model)
        path.write_bytes(model.SerializeToString())
    else:
        with path.open("wb") as file:
            _write_inline(graph, file, model)


def _without_weights(graph: Graph, metadata: dict[str, str]) -> Any:
    from onnx import helper

    proto = helper.make_graph(graph.nodes, graph.name, graph.inputs, graph.outputs)
    opsets = [helper.make_opsetid("", graph.opset)]
    opsets += [helper.make_opsetid(domain, 1) for domain in sorted(graph.domains)]
    model = helper.make_model(proto, opset_imports=opsets, producer_name="hotbed", ir_version=8)
    helper.set_model_props(model, metadata)
    return model


def _declare(proto: Any, tensor: Tensor) -> Any:
    proto.name = tensor.name
    proto.data_type = onnx_type(tensor.dtype)
    proto.dims.extend(tensor.shape)
    return proto


def _write_external(graph: Graph, path: Path, model: Any) -> None:
    """Stream large tensors into ``path``; small ones stay inside, for shape inference."""
    from onnx import TensorProto

    with path.open("wb") as file:
        for tensor in graph.tensors.values():
            # Added in place: handing finished tensors over would copy them.
            proto = _declare(model.graph.initializer.add(), tensor)
            if tensor.nbytes < _ALIGNMENT:
                proto.raw_data = b"".join(block.tobytes() for block in tensor.blocks())
                continue
            file.write(b"\0" * (-file.tell() % _ALIGNMENT))
            proto.data_location = TensorProto.EXTERNAL
            where = {"location": path.name, "offset": file.tell(), "length": tensor.nbytes}
            for key, value in where.items():
                proto.external_data.add(key=key, value=str(value))
            _write(file, tensor)


def _write_inline(graph: Graph, file: BinaryIO, model: Any) -> None:
    """Write a ModelProto: all but its graph, then the graph, its initialisers at its end."""
    from onnx import GraphProto, ModelProto, TensorProto

    nodes = model.graph.SerializeToString()
    model.ClearField("graph")
    raw, item = TensorProto.RAW_DATA_FIELD_NUMBER, GraphProto.INITIALIZER_FIELD_NUMBER
    starts = []
    for tensor in graph.tensors.values():
        start = _declare(TensorProto(), tensor).SerializeToString() + _header(raw, tensor.nbytes)
        starts.append(_header(item, len(start) + tensor.nbytes) + start)
    weights = sum(tensor.nbytes for tensor in graph.tensors.values())
    length = len(nodes) + sum(map(len, starts)) + weights
    file.write(model.SerializeToString())
    file.write(_header(ModelProto.GRAPH_FIELD_NUMBER, length) + nodes)
    for start, tensor in zip(starts, graph.tensors.values(), strict=True):
        file.write(start)
        _write(file, tensor)


def _write(file: BinaryIO, tensor: Tensor) -> None:
    for block in tensor.blocks():
        file.write(block.data)


def _header(field: int, length: int) -> bytes:
    """What stands before ``length`` bytes of a field: its number, and the length, as varints."""
    return _varint(field << 3 | 2) + _varint(length)  # 2 = a field with a length


def _varint(value: int) -> bytes:
    parts = []
    while value > 0x7F:
        parts.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*parts, value])
