"""Read an ONNX file as a graph whose weights stay on disk until they are written.

A model of 2 GB is quantised tensor by tensor; only weights that lie inside the file, which protobuf
reads whole, are held.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from attrs import frozen
from numpy.typing import NDArray

from hotbed.errors import CorruptFileError, MissingFileError, ModelError
from hotbed_onnx.graph import Graph, Tensor

__all__ = ["Source", "read_graph"]

Array = NDArray[Any]


@frozen(kw_only=True)
class Source:
    """An ONNX file.

    Attributes:
        path: The file.
        graph: Its graph; tensors are read where they are used.
        metadata: The properties that its maker stored.
    """

    path: Path
    graph: Graph
    metadata: dict[str, str]


def read_graph(path: Path) -> Source:
    """Open an ONNX file.

    Raises:
        MissingFileError: It is not there, or what it keeps beside it is not.
        CorruptFileError: It cannot be read as ONNX, or is cut off.
        ModelError: It keeps weights outside its folder.
    """
    import onnx
    from google.protobuf.message import DecodeError

    if not path.is_file():
        raise MissingFileError(f"{path} is missing")
    try:
        model = onnx.load(path, load_external_data=False)
    except DecodeError as error:
        raise CorruptFileError(f"{path} cannot be read as ONNX: {error}") from error
    if not model.graph.node:
        raise CorruptFileError(f"{path} cannot be read as ONNX: it holds no graph")
    opsets = {item.domain: item.version for item in model.opset_import}
    tensors = (_tensor(path, item) for item in model.graph.initializer)
    graph = Graph(
        name=model.graph.name,
        opset=opsets.get("", 1),
        nodes=list(model.graph.node),
        inputs=list(model.graph.input),
        outputs=list(model.graph.output),
        tensors={tensor.name: tensor for tensor in tensors},
        domains={domain for domain in opsets if domain},
        taken=set(_values(model.graph)),
    )
    return Source(
        path=path,
        graph=graph,
        metadata={item.key: item.value for item in model.metadata_props},
    )


def _values(graph: Any) -> Iterator[str]:
    """Every name that a graph and its branches give to a value."""
    for node in graph.node:
        yield from node.output
        for attribute in node.attribute:
            yield from _values(attribute.g)


def _tensor(path: Path, proto: Any) -> Tensor:
    from onnx import TensorProto, helper

    shape, dtype = tuple(proto.dims), helper.tensor_dtype_to_np_dtype(proto.data_type)
    if proto.data_location == TensorProto.EXTERNAL:
        whole = partial(_mapped, _external(path, proto), np.dtype(dtype), shape)
    else:
        whole = partial(_inline, proto, shape)
    return Tensor(
        name=proto.name,
        shape=shape,
        dtype=np.dtype(dtype),
        read=lambda rows: whole()[rows] if shape else whole(),
        by_rows=bool(shape),
    )


def _inline(proto: Any, shape: tuple[int, ...]) -> Array:
    from onnx import numpy_helper

    return np.asarray(numpy_helper.to_array(proto)).reshape(shape)


@frozen
class _Place:
    """Where a tensor lies outside its file."""

    tensor: str
    file: Path
    offset: int


def _external(path: Path, proto: Any) -> _Place:
    where = {item.key: item.value for item in proto.external_data}
    file = path.parent / where.get("location", "")
    if not file.resolve().is_relative_to(path.parent.resolve()):
        raise ModelError(
            f"{path} keeps {proto.name} in {where.get('location')!r}, outside its own folder; "
            f"hotbed reads nothing from there"
        )
    if not file.is_file():
        raise MissingFileError(f"{path} keeps {proto.name} in {file.name}, which is missing")
    return _Place(proto.name, file, int(where.get("offset", 0)))


def _mapped(place: _Place, dtype: np.dtype[Any], shape: tuple[int, ...]) -> Array:
    needed = place.offset + int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
    if place.file.stat().st_size < needed:
        raise CorruptFileError(
            f"{place.file} is cut off: {place.tensor} ends at byte {needed:,}, and the file has "
            f"{place.file.stat().st_size:,}"
        )
    return np.memmap(place.file, dtype=dtype, mode="r", offset=place.offset, shape=shape)
