"""Files of ``torch.save`` read without PyTorch: what is read, and that nothing in them ever runs.

That the numbers are torch's own is tested in ``tests/oracle/test_m3.py``, where torch is.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import struct
import sys
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from hotbed.errors import CorruptFileError, MissingFileError, ModelError, UnsupportedModelError
from hotbed.models.tensor_pickle import read_tensor_pickle
from hotbed.models.torch_tensors import TorchTensors
from hotbed.testing.tiny_m3 import save_torch, tensor_pickle

WEIGHT = np.arange(6, dtype=np.float32).reshape(2, 3)
GOOD: dict[str, NDArray[Any]] = {"weight": WEIGHT, "bias": np.array([7, 8], np.float16)}
PATH = Path("head.pt")


def write(path: Path, pickled: bytes, **entries: bytes) -> Path:
    """An archive with any pickle and further entries."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("head/data.pkl", pickled)
        for name, raw in entries.items():
            archive.writestr(f"head/{name.replace('__', '/')}", raw)
    return path


def tensor(
    *, key: str = "0", count: int = 4, offset: int = 0, size: Any = (4,), stride: Any = (1,)
) -> bytes:
    """The pickle of ``{"w": tensor}``, its parts as told."""

    def number(value: int) -> bytes:
        raw = value.to_bytes((value.bit_length() + 8) // 8, "little", signed=True)
        return b"\x8a" + bytes([len(raw)]) + raw

    def text(value: str) -> bytes:
        return b"X" + struct.pack("<I", len(value.encode())) + value.encode()

    def numbers(values: Any) -> bytes:
        return b"(" + b"".join(map(number, values)) + b"t"

    storage = b"(" + text("storage") + b"ctorch\nFloatStorage\n" + text(key) + text("cpu")
    return (
        b"\x80\x02}" + text("w") + b"ctorch._utils\n_rebuild_tensor_v2\n(" + storage
        + number(count) + b"tQ" + number(offset) + numbers(size) + numbers(stride)
        + b"\x89ccollections\nOrderedDict\n)RtRs."
    )  # fmt: skip


def test_tensors_are_read(tmp_path: Path) -> None:
    """float32 as it is, float16 widened; names in the file's order."""
    save_torch(tmp_path / "head.pt", GOOD)
    found = TorchTensors.open(tmp_path / "head.pt")
    assert list(found.tensors) == ["weight", "bias"]
    np.testing.assert_array_equal(found.float32("weight"), WEIGHT)
    np.testing.assert_array_equal(found.float32("bias"), [7, 8])
    assert found.float32("bias").dtype == np.float32


def test_views(tmp_path: Path) -> None:
    """An offset and strides pick numbers out of a storage."""
    raw = np.arange(12, dtype="<f4").tobytes()
    pickled = tensor(count=12, offset=1, size=(2, 3), stride=(1, 4))
    found = TorchTensors.open(write(tmp_path / "head.pt", pickled, data__0=raw))
    np.testing.assert_array_equal(found.float32("w"), [[1, 5, 9], [2, 6, 10]])


class _Runs:
    """Pickles into a call."""

    def __init__(self, call: Callable[..., Any], *arguments: Any) -> None:
        self.call = call
        self.arguments = arguments

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return self.call, self.arguments


def _hostile(target: Path) -> dict[str, Any]:
    """Objects whose unpickling would make ``target``."""
    command, code = f"touch {target}", f"open({str(target)!r}, 'w').close()"
    return {
        "os.system": _Runs(os.system, command),
        "eval": _Runs(eval, code),
        "exec": _Runs(exec, code),
        "inside": {"weight": _Runs(eval, code)},
        "nested": _Runs(getattr, _Runs(__import__, "os"), "system"),
        "as a key": {_Runs(eval, code): 1},
        "in a tuple": (((_Runs(eval, code),),),),
        "bytearray": bytearray(b"x"),
        "a class": _Runs,
        "numpy": np.ones(3),
        "a set": {1, 2},
        "a list": [1],
        "a float": {"weight": 1.5},
        "bytes": {"weight": b"raw"},
    }


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("name", _hostile(Path()))
def test_a_hostile_pickle_runs_nothing(tmp_path: Path, name: str, protocol: int) -> None:
    """Real pickles, of every protocol, that run code when Python reads them."""
    target = tmp_path / "ran"
    pickled = pickle.dumps(_hostile(target)[name], protocol)
    path = write(tmp_path / "head.pt", pickled)
    with pytest.raises(UnsupportedModelError, match=r"ran nothing of it"):
        TorchTensors.open(path)
    assert not target.exists()


def test_the_hostile_pickles_are_hostile(tmp_path: Path) -> None:
    """Python's own reader does run them, so the test above can fail."""
    target = tmp_path / "ran"
    pickle.loads(pickle.dumps(_hostile(target)["eval"]))
    assert target.exists()


@pytest.mark.parametrize(
    ("pickled", "message"),
    [
        (b"cos\nsystem\n(X\x02\x00\x00\x00idtR.", r"the name 'os\.system'"),
        (b"\x80\x04\x8c\x08builtins\x8c\x04eval\x93.", r"the name 'builtins\.eval'"),
        (b"(X\x02\x00\x00\x00idios\nsystem\n.", r"the pickle opcode INST"),
        (b"(cos\nsystem\nX\x02\x00\x00\x00ido.", r"the name 'os\.system'"),
        (b"ccollections\nOrderedDict\n)\x81.", r"the pickle opcode NEWOBJ"),
        (b"\x82\x01.", r"the pickle opcode EXT1"),
        (b"Pcpu\n.", r"the pickle opcode PERSID"),
        (b"\x80\x05\x97.", r"the pickle opcode NEXT_BUFFER"),
        (b"ctorch._utils\n_rebuild_parameter\n.", r"_rebuild_parameter"),
        (b"ctorch\nDoubleStorage\n.", r"the name 'torch\.DoubleStorage'"),
        (b"ctorch._utils _rebuild_tensor_v2\nx\n.", r"the name"),
        (b"ccollections\nOrderedDict\n(K\x01tR.", r"a call of collections OrderedDict"),
        (b"ctorch\nFloatStorage\n)R.", r"a call of torch FloatStorage"),
        (b"})R.", r"a call of dict"),
        (b"ctorch._utils\n_rebuild_tensor_v2\n)R.", r"a tensor of another form"),
        (b"ctorch._utils\n_rebuild_tensor_v2\n}R.", r"a tensor of another form"),
        (b")Q.", r"a persistent id that is no storage"),
        (b"}K\x01K\x02s.", r"a int as the key of a dict"),
        (b")K\x01K\x02s.", r"items for a tuple"),
        (b"}(K\x01u.", r"items for a dict"),
        (b"ctorch\nFloatStorage\n}b.", r"a state for a torch FloatStorage"),
        (b"}K\x01b.", r"a state for a dict"),
        (b"K\x01.", r"a int where a dict of tensors is expected"),
        (b"}X\x01\x00\x00\x00wK\x01s.", r"a int under 'w'"),
        (b"K\x01K\x02\x93.", r"a name that is no text"),
    ],
    ids=str,
)
def test_what_is_not_needed_is_refused(pickled: bytes, message: str) -> None:
    """The opcode or the name stands in the error."""
    with pytest.raises(UnsupportedModelError, match=message):
        read_tensor_pickle(pickled, PATH)


def test_attributes_of_a_dict_are_passed_over() -> None:
    """torch notes versions on its OrderedDicts; they change no number."""
    assert read_tensor_pickle(b"}}X\x01\x00\x00\x00aK\x01sb.", PATH) == {}


@pytest.mark.parametrize(
    "pickled",
    [
        b"",
        b".",
        b"}",
        b"\x80",
        b"}(",
        b"t.",
        b"}(u",
        b"h\x05.",
        b"j\xff\xff\xff\xff.",
        b"q\x00.",
        b"\x94.",
        b"s.",
        b"R.",
        b"\x86.",
        b"X\xff\xff\xff\x7fabc.",
        b"\x8e\xff\xff\xff\xff\xff\xff\xff\x7fabc.",
        b"\x8a\xff.",
        b"c\xff\xff\n\n.",
        b"\xff.",
        b"PK\x03\x04",
    ],
    ids=repr,
)
def test_a_pickle_that_makes_no_sense_is_corrupt(pickled: bytes) -> None:
    """Empty stacks, absent memo entries, sizes beyond the end: an error of the file, at once."""
    with pytest.raises(ModelError):
        read_tensor_pickle(pickled, PATH)


def test_every_truncation_is_an_error() -> None:
    """A pickle cut off anywhere is never taken for whole."""
    whole = tensor_pickle(GOOD)
    for end in range(len(whole)):
        with pytest.raises(CorruptFileError):
            read_tensor_pickle(whole[:end], PATH)


def test_tricks_with_the_memo_cost_nothing() -> None:
    """A tuple that would be 2⁶⁰ long when written out, and a dict inside itself, are refused."""
    doubling = b")" + b"q\x00h\x00\x86" * 60 + b"."
    inside = b"}q\x00X\x01\x00\x00\x00wh\x00s."
    start = time.perf_counter()
    for pickled in (doubling, b"}X\x01\x00\x00\x00w" + doubling[:-1] + b"s.", inside):
        with pytest.raises(UnsupportedModelError):
            read_tensor_pickle(pickled, PATH)
    assert time.perf_counter() - start < 5


def test_depth_does_not_exhaust_the_stack() -> None:
    """Nothing here calls itself, so nesting has no limit to run into."""
    deep = b")" + b"\x85" * 100_000 + b"."
    assert sys.getrecursionlimit() < 100_000
    with pytest.raises(UnsupportedModelError, match="a tuple where a dict"):
        read_tensor_pickle(deep, PATH)


@pytest.mark.parametrize(
    "key", ["../../../etc/passwd", "/etc/passwd", "..", "", "0/../../x", "０", "-1", "data.pkl"]
)
def test_a_storage_has_a_number(tmp_path: Path, key: str) -> None:
    """A key cannot lead to another entry, nor out of the archive."""
    path = write(tmp_path / "head.pt", tensor(key=key), data__0=b"\0" * 16)
    with pytest.raises(UnsupportedModelError, match="whose key is no number"):
        TorchTensors.open(path)


@pytest.mark.parametrize(
    "parts",
    [
        {"count": 5},
        {"count": 3, "size": (3,)},
        {"count": 2**62, "size": (2**62,)},
        {"size": (5,)},
        {"offset": 1},
        {"offset": 2**70},
        {"size": (2,), "stride": (4,)},
        {"size": (2**40, 2**40), "stride": (0, 0)},
        {"size": (2**1000,), "stride": (0,)},
        {"size": (0, 2**60), "stride": (1, 1)},
        {"size": (4, 2), "stride": (1, 0)},
        {"key": "7"},
    ],
    ids=str,
)
def test_a_tensor_that_is_not_in_its_storage(tmp_path: Path, parts: dict[str, Any]) -> None:
    """Sizes, strides and offsets beyond the numbers that there are never reach numpy."""
    path = write(tmp_path / "head.pt", tensor(**parts), data__0=b"\0" * 16)
    found = TorchTensors.open(path)
    with pytest.raises(CorruptFileError):
        found.float32("w")


@pytest.mark.parametrize("parts", [{"offset": -1}, {"size": (-4,)}, {"stride": (-1,)}], ids=str)
def test_negative_numbers_are_refused(tmp_path: Path, parts: dict[str, Any]) -> None:
    """torch has none, and numpy would read before the storage."""
    path = write(tmp_path / "head.pt", tensor(**parts), data__0=b"\0" * 16)
    with pytest.raises(UnsupportedModelError, match="a tensor of another form"):
        TorchTensors.open(path)


@pytest.mark.parametrize("size", [(1,) * 9, (1, 1)], ids=str)
def test_odd_axes_are_refused(tmp_path: Path, size: tuple[int, ...]) -> None:
    """As many strides as axes, and no more axes than any weight has."""
    stride = (1,) * (9 if len(size) == 9 else 1)
    path = write(tmp_path / "head.pt", tensor(size=size, stride=stride), data__0=b"\0" * 16)
    with pytest.raises(UnsupportedModelError, match=rf"a tensor of {len(size)} axes"):
        TorchTensors.open(path)


def test_a_zip_bomb_is_refused(tmp_path: Path) -> None:
    """A compressed entry is refused by what the directory says, before a byte is unpacked."""
    path = tmp_path / "head.pt"
    size = 4 * 2**26
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("head/data.pkl", tensor(count=size // 4, size=(size // 4,)))
        archive.writestr("head/data/0", b"\0" * size)
    with pytest.raises(CorruptFileError, match="its entries are larger than the file"):
        TorchTensors.open(path)


def test_a_compressed_entry_is_refused(tmp_path: Path) -> None:
    """torch compresses nothing; noise grows when it is compressed, and is refused all the same."""
    path = tmp_path / "head.pt"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("head/data.pkl", tensor())
        noise = np.random.default_rng(0).bytes(16)
        archive.writestr("head/data/0", noise, compress_type=zipfile.ZIP_DEFLATED)
    with pytest.raises(CorruptFileError, match="is compressed"):
        TorchTensors.open(path).float32("w")


def test_a_long_pickle_is_refused(tmp_path: Path) -> None:
    """A megabyte is three thousand times what a linear layer takes."""
    pickled = b"}" + b"0}" * 2**20 + b"."
    with pytest.raises(CorruptFileError, match="larger than the 1,048,576 bytes"):
        TorchTensors.open(write(tmp_path / "head.pt", pickled))


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_name_twice_is_refused(tmp_path: Path) -> None:
    """Two readers could take different ones."""
    path = write(tmp_path / "head.pt", tensor(), data__0=b"\0" * 16)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("head/data.pkl", tensor())
    with pytest.raises(CorruptFileError, match="no name twice"):
        TorchTensors.open(path)


def test_other_machines_and_formats(tmp_path: Path) -> None:
    """Big-endian files and those of torch before 1.6 are refused in their own words."""
    big = write(tmp_path / "big.pt", tensor(), byteorder=b"big")
    with pytest.raises(UnsupportedModelError, match="big-endian"):
        TorchTensors.open(big)
    old = tmp_path / "old.pt"
    old.write_bytes(pickle.dumps(0x1950A86A20F9469CFC6C, 2) + b"rest")
    with pytest.raises(UnsupportedModelError, match=r"before 1\.6"):
        TorchTensors.open(old)


@pytest.mark.parametrize("content", [b"", b"x", b"PK\x03\x04" * 9, b"PK\x05\x06" + b"\0" * 18])
def test_no_archive_is_corrupt(tmp_path: Path, content: bytes) -> None:
    """The file is named, and its size."""
    path = tmp_path / "head.pt"
    path.write_bytes(content)
    with pytest.raises(CorruptFileError, match=r"head\.pt"):
        TorchTensors.open(path)
    with pytest.raises(MissingFileError, match=r"other\.pt is missing"):
        TorchTensors.open(tmp_path / "other.pt")


def test_numbers_that_are_not_finite_are_refused(tmp_path: Path) -> None:
    """The tensor is named."""
    save_torch(tmp_path / "head.pt", {"weight": np.array([1, np.inf], np.float16)})
    with pytest.raises(CorruptFileError, match="'weight' holds NaN or infinity"):
        TorchTensors.open(tmp_path / "head.pt").float32("weight")


@settings(max_examples=400, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_damaged_file_is_an_error_of_the_file(tmp_path: Path, data: st.DataObject) -> None:
    """Cut off or with bytes changed anywhere, it is read, or refused in hotbed's words."""
    save_torch(tmp_path / "good.pt", GOOD)
    raw = bytearray((tmp_path / "good.pt").read_bytes())
    for _ in range(data.draw(st.integers(0, 4))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path / "head.pt"
    path.write_bytes(raw[: data.draw(st.integers(0, len(raw)))])
    try:
        found = TorchTensors.open(path)
        for name in found.tensors:
            assert found.float32(name).size <= 6
    except ModelError:
        pass


@settings(max_examples=400)
@given(data=st.data())
def test_a_damaged_pickle_is_an_error_of_the_file(data: st.DataObject) -> None:
    """Opcodes swapped in anywhere: read, or refused in hotbed's words."""
    raw = bytearray(tensor_pickle(GOOD))
    for _ in range(data.draw(st.integers(1, 6))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(ModelError):
        read_tensor_pickle(bytes(raw), PATH)


def test_an_escape_that_makes_no_sense_is_an_error_of_the_file() -> None:
    """Python warns of it, and pytest's settings make errors of warnings, as users' may."""
    with pytest.raises(CorruptFileError, match="its pickle cannot be read"):
        read_tensor_pickle(b"\x80\x02S'\\q'\n.", PATH)
