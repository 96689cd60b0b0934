"""The operators of a graph, read without its weights.

A graph comes from anywhere and runs in native code, which nobody can interrupt. What most of its
operators may cost follows from the sizes of their inputs; a ``Loop`` turns as often as it says.
The file is mapped and its protobuf fields are walked by hand, because the weights lie among the
nodes and parsing would copy them.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from pathlib import Path

from hotbed.errors import CorruptFileError, UnsupportedModelError

__all__ = ["operators", "refuse_loops"]

# Field numbers of onnx.proto3.
_MODEL_GRAPH, _MODEL_FUNCTIONS = 7, 25
_GRAPH_NODE, _FUNCTION_NODE = 1, 7
_NODE_OPERATOR, _NODE_ATTRIBUTE = 4, 5
_ATTRIBUTE_GRAPHS = (6, 11)

_BYTES, _FIXED64, _FIXED32, _VARINT = 2, 1, 5, 0
_DEEPEST = 32
"""Graphs within graphs; exporters nest two or three."""


def refuse_loops(path: Path) -> None:
    """Refuse a graph that decides itself how long it runs.

    Raises:
        UnsupportedModelError: It holds a ``Loop``.
        CorruptFileError: It is no ONNX file, or was cut off.
    """
    if "Loop" in operators(path):
        raise UnsupportedModelError(
            f"{path} holds a Loop, which may run for any time, and nothing can stop it; no "
            f"encoder needs one. Export the model without scripted loops"
        )


def operators(path: Path) -> frozenset[str]:
    """The names of the operators in a graph, in its functions, and in the graphs within it.

    Raises:
        CorruptFileError: It is no ONNX file, or was cut off.
    """
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        try:
            return frozenset(_of_model(data))
        except (IndexError, ValueError) as error:
            raise CorruptFileError(
                f"{path} ({len(data):,} bytes) cannot be read as ONNX: {error}; it may have been "
                f"cut off: download or convert it again"
            ) from error


def _of_model(data: mmap.mmap) -> Iterator[str]:
    for number, start, end in _fields(data, 0, len(data)):
        if number == _MODEL_GRAPH:
            yield from _of_nodes(data, start, end, _GRAPH_NODE, 0)
        elif number == _MODEL_FUNCTIONS:
            yield from _of_nodes(data, start, end, _FUNCTION_NODE, 0)


def _of_nodes(data: mmap.mmap, start: int, end: int, node: int, depth: int) -> Iterator[str]:
    if depth > _DEEPEST:
        raise ValueError(f"more than {_DEEPEST} graphs within one another")
    for number, first, last in _fields(data, start, end):
        if number == node:
            yield from _of_node(data, first, last, depth)


def _of_node(data: mmap.mmap, start: int, end: int, depth: int) -> Iterator[str]:
    for number, first, last in _fields(data, start, end):
        if number == _NODE_OPERATOR:
            yield data[first:last].decode("utf-8", "replace")
        elif number == _NODE_ATTRIBUTE:
            for inner, one, other in _fields(data, first, last):
                if inner in _ATTRIBUTE_GRAPHS:
                    yield from _of_nodes(data, one, other, _GRAPH_NODE, depth + 1)


def _fields(data: mmap.mmap, start: int, end: int) -> Iterator[tuple[int, int, int]]:
    """The fields with bytes in a message: number, start and end."""
    while start < end:
        key, start = _varint(data, start)
        kind = key & 7
        if kind == _VARINT:
            _, start = _varint(data, start)
        elif kind == _FIXED64:
            start += 8
        elif kind == _FIXED32:
            start += 4
        elif kind == _BYTES:
            size, start = _varint(data, start)
            if start + size > end:
                raise ValueError(f"a field of {size:,} bytes at {start:,} ends behind its message")
            yield key >> 3, start, start + size
            start += size
        else:
            raise ValueError(f"the unknown kind of field {kind} at {start:,}")


def _varint(data: mmap.mmap, start: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[start]
        start += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, start
        shift += 7
        if shift > 63:
            raise ValueError(f"an endless number at {start:,}")
