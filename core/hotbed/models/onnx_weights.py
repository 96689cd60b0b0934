"""What an ONNX file's weights are, read from the file and not from its name.

A walk over the protocol buffer that stops at names, shapes and types: weights are stepped over, so
a large file costs a millisecond. The field numbers are onnx.proto's, which never change.
"""

from __future__ import annotations

import math
import mmap
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

__all__ = ["integer_storage", "takes_ranges_from_batches"]

_GRAPH, _INITIALIZER = 7, 5
_DIMS, _DATA_TYPE = 1, 2
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5

_BITS = {1: 32, 2: 8, 3: 8, 4: 16, 5: 16, 10: 16, 11: 64, 12: 32, 13: 64, 16: 16, 21: 4, 22: 4}
"""TensorProto.DataType → bits; whole numbers of 32 and 64 bits are shapes and row numbers."""
_INTEGERS = {2: "uint8", 3: "int8", 21: "q4", 22: "q4"}
_ROWS = (6, 7, 9)
"""int32, int64 and bool: nothing computes with them."""

_BLOCKS = (b"MatMulNBits", b"GatherBlockQuantized")
_BLOCK_BITS = b"\n\x04bits\x18"
"""An attribute's name and the tag of its number, as every writer orders them."""


def integer_storage(path: Path) -> str | None:
    """``int8``, ``uint8``, ``w8`` or ``q4``, where most bytes of the weights are that; else None.

    Of a file that is not there, or that is no ONNX, None as well: whoever opens it says so.
    """
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            sizes: Counter[int] = Counter()
            for start, end in _fields(data, 0, len(data), _GRAPH):
                for place, stop in _fields(data, start, end, _INITIALIZER):
                    kind, bits = _tensor(data, place, stop)
                    if kind not in _ROWS:
                        sizes[kind] += bits
            largest = max(sizes, key=lambda kind: sizes[kind], default=0)
            if largest not in _INTEGERS:
                return None
            return _blocks(data) or _INTEGERS[largest]
    except (OSError, ValueError, IndexError):
        return None


def takes_ranges_from_batches(path: Path) -> bool:
    """Whether a graph holds an operator that takes its ranges from whatever it is given."""
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            return data.find(b"DynamicQuantize") >= 0
    except (OSError, ValueError):
        return True


def _blocks(data: mmap.mmap) -> str:
    """``w8`` or ``q4`` of a graph whose weights lie in blocks."""
    if all(data.find(name) < 0 for name in _BLOCKS):
        return ""
    place = data.find(_BLOCK_BITS)
    return "w8" if place >= 0 and data[place + len(_BLOCK_BITS)] == 8 else "q4"


def _fields(data: mmap.mmap, start: int, end: int, wanted: int) -> Iterator[tuple[int, int]]:
    """Where the values of a field lie that holds bytes."""
    while start < end:
        key, start = _varint(data, start)
        kind = key & 7
        if kind == _BYTES:
            size, start = _varint(data, start)
            if start + size > end:
                raise ValueError("cut off")
            if key >> 3 == wanted:
                yield start, start + size
            start += size
        else:
            start = _after(data, start, kind)


def _tensor(data: mmap.mmap, start: int, end: int) -> tuple[int, int]:
    """A tensor's type and how many bits it takes."""
    dims: list[int] = []
    kind = 0
    while start < end:
        key, start = _varint(data, start)
        number, wire = key >> 3, key & 7
        if wire == _VARINT:
            value, start = _varint(data, start)
            dims += [value] * (number == _DIMS)
            kind = value if number == _DATA_TYPE else kind
        elif wire == _BYTES:
            size, start = _varint(data, start)
            stop = start + size
            while number == _DIMS and start < stop:  # packed
                value, start = _varint(data, start)
                dims.append(value)
            start = stop
        else:
            start = _after(data, start, wire)
    return kind, math.prod(dims) * _BITS.get(kind, 0)


def _after(data: mmap.mmap, start: int, wire: int) -> int:
    if wire == _VARINT:
        return _varint(data, start)[1]
    if wire in (_FIXED64, _FIXED32):
        return start + (8 if wire == _FIXED64 else 4)
    raise ValueError("not a protocol buffer")


def _varint(data: mmap.mmap, start: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[start]
        value |= (byte & 127) << shift
        start += 1
        if byte < 128:
            return value, start
        shift += 7
        if shift > 63:
            raise ValueError("not a protocol buffer")
