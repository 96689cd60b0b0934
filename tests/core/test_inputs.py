"""What counts as a list of texts, a matrix, a whole number, a device."""

from __future__ import annotations

import collections
import types
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hotbed import quantize_embeddings
from hotbed.backends.devices import device_name, same_device
from hotbed.errors import HotbedError, UsageError
from hotbed.inference.arrays import numbers, whole_number
from hotbed.inference.inputs import texts_of
from hotbed.inference.similarity import pairwise, similarity


class Frame:
    """As pandas' DataFrame: iterating gives the columns' names."""

    ndim = 2
    columns = ("text", "label")

    def __iter__(self) -> Any:
        return iter(self.columns)

    def keys(self) -> Any:
        """The columns."""
        return self.columns


class PolarsFrame:
    """As polars' DataFrame: no axes are told."""

    columns = ("text",)

    def __iter__(self) -> Any:
        return iter(self.columns)


class ArrowTable:
    """As pyarrow's Table: indexed, not iterable."""

    column_names = ("text",)

    def __len__(self) -> int:
        return 1

    def __getitem__(self, index: int) -> str:
        return self.column_names[index]


class Group:
    """As h5py's Group: keys, without being a Mapping."""

    def __iter__(self) -> Any:
        return iter(("a", "b"))

    def keys(self) -> Any:
        """The names."""
        return ("a", "b")


class Series:
    """As pandas' Series: it has keys, and iterating gives values."""

    ndim = 1

    def __iter__(self) -> Any:
        return iter(("one", "two"))

    def keys(self) -> Any:
        """The index."""
        return (0, 1)


class Indexed:
    """A sequence of the old kind."""

    def __len__(self) -> int:
        return 2

    def __getitem__(self, index: int) -> str:
        return ("one", "two")[index]


@pytest.mark.parametrize(
    "texts",
    [
        ["one", "two"],
        ("one", "two"),
        np.array(["one", "two"]),
        np.array(["one", "two"], dtype=object),
        [np.str_("one"), np.str_("two")],
        collections.deque(["one", "two"]),
        {1: "one", 2: "two"}.values(),
        Series(),
        Indexed(),
    ],
)
def test_what_gives_its_values_in_order_is_a_list_of_texts(texts: Any) -> None:
    """Lists, tuples, arrays with one axis, columns, views of values."""
    assert texts_of(texts) == ["one", "two"]


@pytest.mark.parametrize(
    ("texts", "advice"),
    [
        (Frame(), r"df\['text'\]\.tolist\(\)"),
        (PolarsFrame(), r"df\['text'\]\.tolist\(\)"),
        (ArrowTable(), r"df\['text'\]\.tolist\(\)"),
        (Group(), "mapping.values"),
        ({"a": "b"}, "mapping.values"),
        (types.MappingProxyType({"a": "b"}), "mapping.values"),
        (collections.UserDict({"a": "b"}), "mapping.values"),
        ({"a", "b"}, "no order"),
        (frozenset({"a"}), "no order"),
        ({"a": "b"}.keys(), "no order"),
        (b"text", "decode"),
        (bytearray(b"text"), "decode"),
        ("text", "list of texts"),
        (np.array("text"), r"array\.item"),
        (7, "list of strings"),
        (None, "list of strings"),
        (str, "list of strings"),
        (Path("a"), "list of strings"),
        ([b"a"], r"inputs\[0\] is bytes.*decode"),
        (["a", None], r"inputs\[1\] is NoneType.*missing"),
        (["a", float("nan")], r"inputs\[1\] is float.*missing"),
        ([{"text": "a"}], r"inputs\[0\] is dict.*row\['text'\]"),
        (np.array([["a"]]), r"inputs\[0\] is ndarray"),
        ([["a"]], r"inputs\[0\] is list"),
    ],
)
def test_what_is_no_list_of_texts_is_told_what_to_pass(texts: Any, advice: str) -> None:
    """Keys, columns' names and single texts are not embedded as if they were the texts."""
    with pytest.raises(UsageError, match=advice):
        texts_of(texts)


@pytest.mark.parametrize(
    "value",
    [[[1.0], [1.0, 2.0]], [["a"]], "text", [[None]], 3.0, np.zeros((1, 2, 3)), [[1j]], object()],
)
def test_what_is_no_matrix_is_named(value: Any) -> None:
    """Ragged rows, words, a number without axes, three axes, complex numbers."""
    for call in (similarity, pairwise):
        with pytest.raises(UsageError, match=r"^b "):
            call([[1.0, 2.0]], value)
    with pytest.raises(UsageError, match="embeddings"):
        quantize_embeddings(value, "binary")
    for name in ("ranges", "calibration_embeddings"):
        with pytest.raises(UsageError, match=name):
            quantize_embeddings(np.eye(2), "int8", **{name: value})


def test_widths_that_differ_are_told() -> None:
    """Vectors of two widths have no similarity."""
    with pytest.raises(UsageError, match="2 and of 3 dimensions"):
        similarity(np.eye(2), np.eye(3))
    with pytest.raises(UsageError, match=r"\(5, 3\)"):
        quantize_embeddings(np.eye(2), "int8", calibration_embeddings=np.zeros((5, 3)))


@pytest.mark.parametrize("precision", ["int8", "uint8", "binary", "ubinary"])
def test_nan_has_no_whole_number(precision: str) -> None:
    """NaN and infinity are not rounded to some number; the row is named."""
    for spoilt in (np.nan, np.inf, -np.inf):
        rows = np.eye(3)
        rows[1, 2] = spoilt
        with pytest.raises(UsageError, match=r"embeddings\[1\]"):
            quantize_embeddings(rows, precision, ranges=[[0.0] * 3, [1.0] * 3])


def test_rows_of_arrays_are_a_matrix() -> None:
    """What was a matrix before is one still."""
    rows = [np.ones(2, np.float32), [1, 2]]
    assert numbers(rows, "rows").tolist() == [[1, 1], [1, 2]]
    assert similarity([1.0, 0.0], [[2.0, 0.0]]).tolist() == [[1.0]]


@pytest.mark.parametrize("value", ["8", 8.0, True, [8], float("nan"), np.float32(8), object()])
def test_a_whole_number_is_one(value: Any) -> None:
    """No word, no fraction, no truth value stands in for a whole number."""
    with pytest.raises(UsageError, match="batch_size=.* is not a whole number"):
        whole_number(value, "batch_size")
    assert whole_number(np.int64(8), "x") == whole_number(8, "x") == 8
    assert whole_number(None, "x") is None


class Device:
    """As ``torch.device``."""

    def __init__(self, kind: Any, index: int | None = None) -> None:
        self.type, self.index = kind, index


def test_devices_have_names() -> None:
    """None chooses; PyTorch's objects are read without PyTorch."""
    assert device_name(None) == "auto"
    assert device_name(Device("cpu")) == device_name(Device("cpu", 0)) == device_name("cpu")
    assert device_name(Device("cuda", 1)) == "cuda:1"
    assert same_device("cuda", "cuda:0")
    assert not same_device("cuda:1", "cuda")
    for wrong in (0, ["cpu"], b"cpu", Device(7)):
        with pytest.raises(HotbedError, match="device="):
            device_name(wrong)
