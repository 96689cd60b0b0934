"""What counts as a list of texts: one function says so, wherever texts come in."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from typing import Any

from hotbed.errors import UsageError

__all__ = ["texts_of"]

_TABLES = ("columns", "column_names")
"""Attributes of tables: pandas, polars and dask; pyarrow and datasets."""


def texts_of(texts: Any, start: int = 0, name: str = "inputs") -> list[str]:
    """Give the texts as a list, and check that each is a string.

    Lists, tuples, arrays with one axis, columns of tables, and anything else that gives its values
    in order. What gives its keys or its columns' names instead (a dict, a table), what has no
    order (a set), and what is one text (a string, bytes) is refused, with what to pass.

    Args:
        texts: What was given.
        start: The index of the first, where it is a part of a longer row of texts.
        name: The argument's name, for messages.

    Raises:
        UsageError: It is no list of texts, or one of them is not a string; its index is named.
    """
    if why := _no_list(texts):
        raise UsageError(f"{name} is {_kind(texts)}{why}")
    rows = texts if isinstance(texts, list) else list(texts)
    for index, text in enumerate(rows, start):
        if not isinstance(text, str):
            what = f"{name}[{index}] is {_kind(text)}, not a string"
            raise UsageError(f"{what}: {text!r:.60}{_advice(texts, text)}")
    return rows


def _kind(value: Any) -> str:
    return type(value).__name__


def _no_list(texts: Any) -> str:
    """Why something is not a list of texts, and what to pass; ``""`` for what may be one."""
    if isinstance(texts, str):
        return f": {texts!r:.60}; give a list of texts, as [text]"
    if isinstance(texts, (bytes, bytearray, memoryview)):
        return "; decode it first, as data.decode('utf-8')"
    axes = getattr(texts, "ndim", None)
    if axes == 0:
        return " without an axis; give its text, as array.item(), or a list of texts"
    if _is_table(texts, axes):
        return ", whose columns' names would be embedded; give one column: df['text'].tolist()"
    if isinstance(texts, Mapping) or (callable(getattr(texts, "keys", None)) and axes is None):
        return ", whose keys would be embedded; give its values: list(mapping.values())"
    if isinstance(texts, Set):
        return ", which has no order to give rows in; give a list, as sorted(texts)"
    if not _can_be_read(texts):
        return "; give a string, a list of strings, or an iterator"
    return ""


def _is_table(texts: Any, axes: Any) -> bool:
    named = any(hasattr(texts, name) for name in _TABLES)
    return named and axes in (None, 2)


def _can_be_read(texts: Any) -> bool:
    if isinstance(texts, type):
        return False
    if isinstance(texts, Iterable):
        return True
    return hasattr(texts, "__getitem__") and hasattr(texts, "__len__")


def _advice(texts: Any, text: Any) -> str:
    if isinstance(text, bytes):
        return "; decode it first, as text.decode('utf-8')"
    if isinstance(text, Mapping):
        return "; give the texts alone, as [row['text'] for row in rows]"
    if callable(getattr(texts, "to_pylist", None)):
        return "; give column.to_pylist()"
    if text is None or text != text:
        return ", a missing value; leave it out or give ''"
    return ""
