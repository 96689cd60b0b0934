"""Changes of zip files: wheels, and what torch.save writes."""

from __future__ import annotations

import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from random import Random

from tests.fuzz.mutation import MEANING, Mutation, NotApplicableError, Place

__all__ = ["ZIPS", "rewrite"]

_NAMES = (
    *("../outside", "../../outside", "/tmp/outside", "a/../../outside", "C:\\outside", "\\outside"),
    *(
        "config.json/x",
        "x\x1b[31m",
        "a" * 300,
        "ü/數",
        ".",
        "",
        "nul\x00tail",
        "./config.json",
        "//a",
    ),
)
_BOMB = 3 << 26
"""Bytes of zeros; they take a thousandth of that in the file."""


def rewrite(path: Path, change: Callable[[str, bytes], bytes]) -> None:
    """Write a zip file anew with changed contents."""
    with zipfile.ZipFile(path) as archive:
        entries = [(info, archive.read(info)) for info in archive.infolist()]
    with zipfile.ZipFile(path, "w") as archive:
        for info, content in entries:
            archive.writestr(info, change(info.filename, content))


def _entries(place: Place) -> list[tuple[zipfile.ZipInfo, bytes]]:
    try:
        with zipfile.ZipFile(place.file) as archive:
            return [(info, archive.read(info)) for info in archive.infolist()]
    except (zipfile.BadZipFile, ValueError, NotImplementedError, OSError, RuntimeError) as error:
        raise NotApplicableError("no zip file any more") from error


def _model_folder(entries: list[tuple[zipfile.ZipInfo, bytes]]) -> str:
    names = [info.filename for info, _ in entries if info.filename.endswith("modules.json")]
    return names[0].removesuffix("modules.json") if names else ""


def _added(rng: Random, place: Place) -> str:
    entries = _entries(place)
    name = _model_folder(entries) + rng.choice(_NAMES)
    info = zipfile.ZipInfo(name.replace("\x00", "") or "empty")
    content = b"outside"
    way = rng.randrange(4)
    if way == 1:
        info.external_attr = 0o120777 << 16  # a link
        content = str(place.outside / ".ssh" / "id_rsa").encode()
    elif way == 2:
        info.external_attr = 0o010644 << 16  # a pipe
    elif way == 3:
        info.filename += "/"
    _write(place.file, [*entries, (info, content)])
    return f"a further entry {info.filename[:60]!r}, way {way}"


def _twice(rng: Random, place: Place) -> str:
    entries = _entries(place)
    info, content = rng.choice(entries)
    again = zipfile.ZipInfo(info.filename)
    _write(place.file, [*entries, (again, rng.choice((b"", b"{}", content[:-1])))])
    return f"{info.filename} twice"


def _bomb(rng: Random, place: Place) -> str:
    entries = _entries(place)
    name = _model_folder(entries) + rng.choice(
        ("zeros.bin", "README.md", "extra/model.safetensors")
    )
    with zipfile.ZipFile(place.file, "w", zipfile.ZIP_DEFLATED) as archive:
        for info, content in entries:
            archive.writestr(info, content)
        with archive.open(name, "w", force_zip64=True) as file:
            for _ in range(_BOMB >> 22):
                file.write(bytes(1 << 22))
    return f"{_BOMB:,} zeros as {name}"


def _field(rng: Random, place: Place) -> str:
    """A field of a local header or of the directory at the end."""
    data = bytearray(place.file.read_bytes())
    mark = rng.choice((b"PK\x03\x04", b"PK\x01\x02", b"PK\x05\x06"))
    starts = [i for i in range(len(data)) if data.startswith(mark, i)]
    if not starts:
        raise NotApplicableError("no zip file")
    at = rng.choice(starts) + rng.choice((6, 8, 10, 14, 18, 20, 22, 24, 28, 42))
    if at + 4 > len(data):
        raise NotApplicableError("at the end")
    value = rng.choice((0, 1, 8, 12, 99, 0x41, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF))
    struct.pack_into("<I", data, at, value)
    place.file.write_bytes(data)
    return f"the field at {at} becomes {value:#x}"


def _write(path: Path, entries: list[tuple[zipfile.ZipInfo, bytes]]) -> None:
    import warnings

    with warnings.catch_warnings(), zipfile.ZipFile(path, "w") as archive:
        warnings.simplefilter("ignore")  # of a name that is there twice
        for info, content in entries:
            archive.writestr(info, content)


ZIPS = [
    Mutation(name="entry", act=_added, effect=MEANING, weight=3),
    Mutation(name="twice", act=_twice, effect=MEANING),
    Mutation(name="bomb", act=_bomb, effect=MEANING),
    Mutation(name="field", act=_field, effect=MEANING, weight=3),
]
