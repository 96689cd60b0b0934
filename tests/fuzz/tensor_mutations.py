"""Changes of files that hold tensors: safetensors, and pickles as torch.save writes them."""

from __future__ import annotations

import json
import struct
import zipfile
from random import Random

from tests.fuzz.hostile import dump, hostile
from tests.fuzz.json_mutations import changed_value
from tests.fuzz.mutation import MEANING, Mutation, NotApplicableError, Place
from tests.fuzz.zip_mutations import rewrite

__all__ = ["PICKLES", "SAFETENSORS"]

_LENGTHS = (0, 1, 2**31, 2**40, 2**63, 2**64 - 1)


def _header(place: Place) -> tuple[dict[str, object], bytes]:
    content = place.file.read_bytes()
    if len(content) < 8:
        raise NotApplicableError("no safetensors")
    size = struct.unpack_from("<Q", content)[0]
    try:
        return json.loads(content[8 : 8 + size]), content[8 + size :]
    except (ValueError, OverflowError) as error:
        raise NotApplicableError("no safetensors any more") from error


def _write(place: Place, header: bytes, body: bytes, length: int | None = None) -> None:
    size = len(header) if length is None else length
    place.file.write_bytes(struct.pack("<Q", size) + header + body)


def _header_value(rng: Random, place: Place) -> str:
    header, body = _header(place)
    value, told = changed_value(rng, header)
    _write(place, dump(rng, value).encode("utf-8", "surrogatepass"), body)
    return f"header: {told}"


def _header_length(rng: Random, place: Place) -> str:
    header, body = _header(place)
    length = rng.choice(_LENGTHS)
    _write(place, json.dumps(header).encode(), body, length)
    return f"a header of {length} bytes, it says"


def _tensor(rng: Random, place: Place) -> str:
    header, body = _header(place)
    name = rng.choice([key for key in header if key != "__metadata__"])
    tensor = header[name]
    assert isinstance(tensor, dict)
    key, value = rng.choice(
        (
            ("dtype", rng.choice(("F16", "BF16", "F64", "I8", "I64", "BOOL", "F8_E4M3", "X", ""))),
            ("shape", rng.choice(([], [0], [-1], [2**62, 4], [1], [2**63], tensor["shape"][::-1]))),
            ("shape", [*tensor["shape"], 1]),
            (
                "data_offsets",
                rng.choice(([0, 0], [0, 2**63], [9, 1], [-4, 4], [0], [0, len(body)])),
            ),
            ("dtype", hostile(rng)),
        )
    )
    tensor[key] = value
    _write(place, dump(rng, header).encode("utf-8", "surrogatepass"), body)
    return f"{name}: {key} = {str(value)[:60]}"


def _values(rng: Random, place: Place) -> str:
    """Floats that arithmetic does not survive."""
    header, body = _header(place)
    data = bytearray(body)
    if len(data) < 4:
        raise NotApplicableError("no data")
    value = rng.choice((float("nan"), float("inf"), -3e38, 1e-42, 1e20))
    places = [rng.randrange(len(data) // 4) * 4 for _ in range(rng.choice((1, 1, 50)))]
    for offset in places:
        struct.pack_into("<f", data, offset, value)
    _write(place, json.dumps(header).encode(), bytes(data))
    return f"{len(places)} numbers become {value}"


def _rename(rng: Random, place: Place) -> str:
    header, body = _header(place)
    prefix = rng.choice(("_orig_mod.", "module.", "model.", "bert.", "", "x"))
    end = rng.choice(("", ".1", "\x00", "\x1b[31m"))
    names = {key: key if key == "__metadata__" else f"{prefix}{key}{end}" for key in header}
    _write(place, json.dumps({names[k]: v for k, v in header.items()}).encode(), body)
    return f"every tensor is called {prefix!r}…{end!r}"


def _pickle(rng: Random, place: Place) -> str:
    """Bytes of the program inside, or names that would be called."""
    told = ""

    def change(name: str, content: bytes) -> bytes:
        nonlocal told
        if not name.endswith("data.pkl"):
            return content
        data = bytearray(content)
        way = rng.randrange(4)
        if way == 0:
            at = rng.randrange(len(data))
            data[at] = rng.choice(
                b"cRtQ(.}]UXJKM0123pqrhjbiold\x80\x81\x85\x93\x95\x8a\x8b\xff\x00"
            )
            told = f"opcode {data[at]:#x} at {at}"
        elif way == 1:
            old = rng.choice((b"torch\nFloatStorage", b"torch\nHalfStorage", b"torch._utils\n"))
            new = rng.choice((b"posix\nsystem", b"builtins\neval", b"os\n", b"torch\nLongStorage"))
            data = bytearray(bytes(data).replace(old, new))
            told = f"{old!r} becomes {new!r}"
        elif way == 2:
            at = rng.randrange(len(data) - 4)
            struct.pack_into("<i", data, at, rng.choice((-1, 0, 2**31 - 1, 65536)))
            told = f"a number at {at}"
        else:
            junk = rng.choice(
                (b"(" * 100_000, b"}" * 1000, b"\x8b\xff\xff\xff\x7f", b"(lp0\n" * 99)
            )
            at = rng.choice((2, len(data) - 1))
            data[at:at] = junk
            told = f"{len(junk)} bytes inserted at {at}"
        return bytes(data)

    try:
        rewrite(place.file, change)
    except (zipfile.BadZipFile, ValueError, NotImplementedError, OSError) as error:
        raise NotApplicableError("no zip file any more") from error
    return f"the pickle: {told}"


SAFETENSORS = [
    Mutation(name="header", act=_header_value, effect=MEANING, weight=3),
    Mutation(name="header length", act=_header_length, effect=MEANING),
    Mutation(name="tensor", act=_tensor, effect=MEANING, weight=3),
    Mutation(name="values", act=_values, effect=MEANING, weight=2),
    Mutation(name="tensor names", act=_rename, effect=MEANING),
]
PICKLES = [Mutation(name="pickle", act=_pickle, effect=MEANING, weight=5)]
