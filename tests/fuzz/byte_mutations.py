"""Changes of bytes, for files of any kind."""

from __future__ import annotations

import struct
from collections.abc import Callable
from random import Random

from tests.fuzz.mutation import UNREADABLE, Mutation, NotApplicableError, Place

__all__ = ["BYTES"]

_NUMBERS = (0, 1, 0x7F, 0xFF, 0x7FFF_FFFF, 0xFFFF_FFFF, 1 << 40, (1 << 63) - 1, (1 << 64) - 1)


def _changed(change: Callable[[Random, bytearray], str]) -> Callable[[Random, Place], str]:
    def act(rng: Random, place: Place) -> str:
        content = bytearray(place.file.read_bytes())
        if not content:
            raise NotApplicableError("an empty file")
        told = change(rng, content)
        place.file.write_bytes(content)
        return told

    return act


def _flip(rng: Random, content: bytearray) -> str:
    places = [rng.randrange(len(content)) for _ in range(rng.choice((1, 1, 1, 2, 8)))]
    for place in places:
        content[place] ^= 1 << rng.randrange(8)
    return f"bits flipped at {places}"


def _cut(rng: Random, content: bytearray) -> str:
    left = rng.choice((1, 7, 8, len(content) // 2, len(content) - 1, rng.randrange(len(content))))
    left = min(left, len(content) - 1)
    del content[left:]
    return f"cut to {left} bytes"


def _insert(rng: Random, content: bytearray) -> str:
    place = rng.choice((0, len(content), rng.randrange(len(content))))
    junk = rng.choice((b"\x00", b"\xef\xbb\xbf", b"\xff\xfe", b"\n", b"\x1b[2J", rng.randbytes(9)))
    content[place:place] = junk
    return f"{junk!r} inserted at {place}"


def _zero(rng: Random, content: bytearray) -> str:
    start = rng.randrange(len(content))
    end = min(len(content), start + rng.choice((1, 4, 64, 4096)))
    content[start:end] = bytes(end - start)
    return f"zeros from {start} to {end}"


def _repeat(rng: Random, content: bytearray) -> str:
    start = rng.randrange(len(content))
    end = min(len(content), start + rng.choice((1, 8, 256)))
    times = rng.choice((1, 2, 100))
    content[end:end] = bytes(content[start:end]) * times
    return f"{start} to {end} repeated {times} times"


def _number(rng: Random, content: bytearray) -> str:
    form = rng.choice(("<I", "<Q", ">I", "<H"))
    size = struct.calcsize(form)
    if len(content) < size:
        raise NotApplicableError("too short for a number")
    # The first bytes are the likeliest to be a length.
    place = rng.choice((0, rng.randrange(min(64, len(content) - size + 1))))
    place = min(rng.choice((place, rng.randrange(len(content) - size + 1))), len(content) - size)
    value = rng.choice(_NUMBERS) & ((1 << 8 * size) - 1)
    struct.pack_into(form, content, place, value)
    return f"the number {value} ({form}) at {place}"


def _noise(rng: Random, content: bytearray) -> str:
    content[:] = rng.randbytes(rng.choice((1, 16, 4096)))
    return f"replaced by {len(content)} random bytes"


BYTES = [
    Mutation(name="flip", act=_changed(_flip), weight=3),
    Mutation(name="cut", act=_changed(_cut), weight=2),
    Mutation(name="insert", act=_changed(_insert)),
    Mutation(name="zero", act=_changed(_zero)),
    Mutation(name="repeat", act=_changed(_repeat)),
    Mutation(name="number", act=_changed(_number), weight=2),
    Mutation(name="noise", act=_changed(_noise), effect=UNREADABLE),
]
