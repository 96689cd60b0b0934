"""External data of ONNX files has to lie inside the version, or the version is not whole."""

from __future__ import annotations

import mmap
import posixpath
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from hotbed.errors import UsageError

__all__ = ["external_data", "require_inside"]

_LOCATION = re.compile(rb"\x0a\x08location\x12")
"""A StringStringEntryProto with the key ``location``, and the tag of its value (onnx.proto3, of
TensorProto.external_data), as every protobuf library writes it. Whoever writes it otherwise by hand
is refused at loading, by the runtime."""

_LONGEST = 4096


def require_inside(folder: Path, paths: Iterable[str]) -> None:
    """Refuse ONNX files whose external data lies outside of the version, or is not there.

    Args:
        folder: The model folder.
        paths: What will be registered of it, with forward slashes.

    Raises:
        UsageError: All such are named.
    """
    known = set(paths)
    problems = []
    for path in sorted(name for name in known if name.endswith(".onnx")):
        for location in sorted(set(external_data(folder / path))):
            beside = posixpath.normpath(posixpath.join(posixpath.dirname(path), location))
            if beside not in known:
                problems.append(f"{path} keeps weights in {location!r}")
    if problems:
        raise UsageError(
            f"{folder} cannot be registered: {'; '.join(problems)}, which is no file of the folder"
        )


def external_data(path: Path) -> Iterator[str]:
    """Where an ONNX file says that its external data lies."""
    if not path.stat().st_size:
        return
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        for found in _LOCATION.finditer(content):
            length, start = _varint(content, found.end())
            if 0 < length <= _LONGEST:
                yield content[start : start + length].decode("utf-8", "replace")


def _varint(content: mmap.mmap, start: int) -> tuple[int, int]:
    value = shift = 0
    for place in range(start, min(start + 5, len(content))):
        value |= (content[place] & 0x7F) << shift
        if content[place] < 0x80:
            return value, place + 1
        shift += 7
    return 0, start
