"""Changes of settings files and of files with texts."""

from __future__ import annotations

import json
from random import Random

from tests.fuzz.hostile import Raw, dump, hostile
from tests.fuzz.mutation import Mutation, Place

__all__ = ["LINES", "SETTINGS"]

_KEYS = (
    *("home", "backends", "blocked", "priority", "devices", "registry", "registry_blobs", "tuned"),
    *("paranoid", "memory", "trace", "nonsense", "plugins", "HOME", "a.b", '"x y"', "verbosity"),
)
_VALUES = (
    *("1", "-1", "true", '""', "[]", "{}", "[1]", '["x"]', "{a = 1}", "1979-05-27", "inf", "nan"),
    *(
        '"2GB"',
        '"-1"',
        '"99999999999999999999GB"',
        '"cuda"',
        '["cpu"]',
        '"onnx_cpu"',
        '"/dev/null"',
    ),
    *(
        '"~nobody/x"',
        '"h"',
        '"../h"',
        '"/proc/self/mem"',
        '"postgresql://127.0.0.1:9/x"',
        '"a\\u0000b"',
    ),
    *(
        '"' + "a" * 5000 + '"',
        "[" * 3000 + "]" * 3000,
        "1" * 5000,
        '"\\u001b[31m"',
        "0xffffffffffffffffff",
    ),
    *(
        '"s3://x/y"',
        '["onnx_cpu", 1]',
        '[["cpu"]]',
        '"[/b]"',
        "'''\n\n'''",
        "{a.b.c = [1,2]}",
        "1e400",
    ),
)


def _setting(rng: Random, place: Place) -> str:
    lines = place.file.read_text(encoding="utf-8", errors="replace").splitlines()
    key, value = rng.choice(_KEYS), rng.choice(_VALUES)
    lines = [line for line in lines if not line.startswith(key)] if rng.random() < 0.7 else lines
    lines.insert(rng.randrange(len(lines) + 1), f"{key} = {value}")
    place.file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return f"{key} = {value[:40]}"


def _table(rng: Random, place: Place) -> str:
    name = rng.choice(_KEYS)
    text = f"\n[{name}]\nx = 1\n" if rng.random() < 0.5 else f"\n[[{name}]]\n"
    place.file.write_text(place.file.read_text(encoding="utf-8", errors="replace") + text, "utf-8")
    return f"a table {name}"


def _line(rng: Random, place: Place) -> str:
    lines = place.file.read_bytes().split(b"\n")
    number = rng.randrange(len(lines))
    lines[number] = _hostile_line(rng, place.file.suffix == ".jsonl")
    place.file.write_bytes(b"\n".join(lines))
    return f"line {number + 1} becomes {lines[number][:50]!r} ({len(lines[number])} bytes)"


def _hostile_line(rng: Random, objects: bool) -> bytes:
    if objects and rng.random() < 0.6:
        value = hostile(rng)
        text = dump(rng, {rng.choice(("text", "text", "embedding", "id")): value, "id": 1})
        return text.replace("\n", " ").encode("utf-8", "surrogatepass")
    if objects and rng.random() < 0.5:
        value = hostile(rng)
        text = value.text if isinstance(value, Raw) else json.dumps(value)
        return text.encode("utf-8", "surrogatepass")
    return rng.choice(_LINES)


_LINES = (
    *(
        b"",
        b" ",
        b"\xff\xfe",
        b"\x00",
        b"\xef\xbb\xbfbread",
        b"\xed\xa0\x80",
        b"bread\r",
        b"\x1b[2J",
    ),
    *(
        b"[/b] [bold]hi[/bold]",
        b"a " * 200_000,
        b"a" * 400_000,
        "é".encode() * 50_000,
        b"\xe2\x80\xae",
    ),
    *(
        "\u0301".encode() * 3000,
        b"a\x0bb\x0cc\x1cd",
        "a\u2028b\u2029c\x85d".encode(),
        b"{",
        b"]",
        b"-",
    ),
)

SETTINGS = [
    Mutation(name="setting", act=_setting, weight=6),
    Mutation(name="table", act=_table),
]
LINES = [Mutation(name="line", act=_line, weight=6)]
