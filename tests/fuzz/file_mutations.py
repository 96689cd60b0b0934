"""Changes of a file as a whole: something else under its name, or something strange beside it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from random import Random

from tests.fuzz.mutation import MEANING, NEUTRAL, UNREADABLE, Mutation, Place

__all__ = ["BESIDE", "FILES", "SECRET"]

SECRET = "a secret of the user, which nobody may read"

_POINTER = (
    "version https://git-lfs.github.com/spec/v1\n"
    "oid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393\nsize 12345\n"
)


def _replaced(put: Callable[[Random, Place], str]) -> Callable[[Random, Place], str]:
    def act(rng: Random, place: Place) -> str:
        place.file.unlink()
        return put(rng, place)

    return act


def _link_to(target: str) -> Callable[[Random, Place], str]:
    def put(rng: Random, place: Place) -> str:
        del rng
        place.file.symlink_to(target)
        return f"a link to {target}"

    return put


def _link_outside(rng: Random, place: Place) -> str:
    target = place.outside / rng.choice((".ssh/id_rsa", "secret.json"))
    place.file.symlink_to(target)
    return f"a link to {target.name} in the user's home"


def _link_to_itself(rng: Random, place: Place) -> str:
    del rng
    place.file.symlink_to(place.file.name)
    return "a link to itself"


def _link_inside(rng: Random, place: Place) -> str:
    del rng
    real = place.root / ".real" / place.file.name
    real.parent.mkdir(exist_ok=True)
    shutil.move(place.file, real)
    place.file.symlink_to(os.path.relpath(real, place.file.parent))
    return "a link to the file, elsewhere in the folder"


def _directory(rng: Random, place: Place) -> str:
    place.file.mkdir()
    if rng.random() < 0.5:
        (place.file / "config.json").write_text("{}", encoding="utf-8")
    return "a folder"


def _pipe(rng: Random, place: Place) -> str:
    del rng
    os.mkfifo(place.file)
    return "a pipe that nobody writes"


def _empty(rng: Random, place: Place) -> str:
    content = rng.choice(("", " ", "\n\n", "\ufeff", "\x00"))
    place.file.write_text(content, encoding="utf-8")
    return f"nothing but {content!r}"


def _pointer(rng: Random, place: Place) -> str:
    del rng
    place.file.write_text(_POINTER, encoding="utf-8")
    return "a pointer of git-lfs"


def _giant(rng: Random, place: Place) -> str:
    size = 1 << 30  # hashing more than that takes long by right
    os.truncate(place.file, size)
    return f"with zeros to {size:,} bytes (sparse)"


def _absent(rng: Random, place: Place) -> str:
    del rng, place
    return "absent"


def _copy_of_another(rng: Random, place: Place) -> str:
    others = sorted(p for p in place.root.rglob("*") if p.is_file() and p != place.file)
    content = rng.choice(others).read_bytes() if others else b""
    place.file.write_bytes(content)
    return "a copy of another file"


# --- beside the file -----------------------------------------------------------------------------

_HOSTILE_NAMES = ("\x1b[31mred\x1b[0m", "[bold]x", "a" * 200, "x\ny", "ü數\u202e", "-rf", "%s{}")


def _stranger(rng: Random, place: Place) -> str:
    name = rng.choice(("README.md", ".gitattributes", "notes.bin", *_HOSTILE_NAMES))
    (place.root / name).write_bytes(rng.randbytes(64))
    return f"a further file {name!r}"


def _strange_thing(rng: Random, place: Place) -> str:
    path = place.root / rng.choice(("README.md", "extra", "images"))
    _THINGS[rng.randrange(len(_THINGS))](path, place)
    return f"{path.name} is something strange"


def _code(rng: Random, place: Place) -> str:
    name = rng.choice(("modeling_bert.py", "sitecustomize.py", "onnxruntime.py", "numpy.py"))
    trap = f"open({str(place.outside / 'ran')!r}, 'w').close()\n"
    (place.root / name).write_text(trap, encoding="utf-8")
    return f"{name} with code"


def _deep(rng: Random, place: Place) -> str:
    del rng
    path = place.root
    for _ in range(60):
        path = path / "deep"
    path.mkdir(parents=True)
    return "sixty folders within one another"


_THINGS: list[Callable[[Path, Place], None]] = [
    lambda path, place: os.mkfifo(path),
    lambda path, place: path.symlink_to(place.outside / ".ssh" / "id_rsa"),
    lambda path, place: path.symlink_to(path.name),
    lambda path, place: path.symlink_to(place.root),
    lambda path, place: path.symlink_to("/dev/zero"),
]

FILES = [
    Mutation(name="dangling", act=_replaced(_link_to("nowhere")), effect=UNREADABLE),
    Mutation(name="loop", act=_replaced(_link_to_itself), effect=UNREADABLE),
    Mutation(name="outside", act=_replaced(_link_outside), effect=UNREADABLE, weight=2),
    Mutation(name="/dev/zero", act=_replaced(_link_to("/dev/zero")), effect=UNREADABLE),
    Mutation(name="inside", act=_link_inside, effect=NEUTRAL),
    Mutation(name="folder", act=_replaced(_directory), effect=UNREADABLE),
    Mutation(name="pipe", act=_replaced(_pipe), effect=UNREADABLE),
    Mutation(name="empty", act=_replaced(_empty), effect=UNREADABLE),
    Mutation(name="pointer", act=_replaced(_pointer), effect=UNREADABLE),
    Mutation(name="giant", act=_giant, effect=UNREADABLE),
    Mutation(name="absent", act=_replaced(_absent), effect=MEANING, weight=2),
    Mutation(name="another", act=_copy_of_another, effect=MEANING),
]
"""Something else in the file's place."""

BESIDE = [
    Mutation(name="stranger", act=_stranger, effect=NEUTRAL),
    Mutation(name="strange thing", act=_strange_thing, effect=UNREADABLE),
    Mutation(name="code", act=_code, effect=NEUTRAL),
    Mutation(name="deep", act=_deep, effect=NEUTRAL, weight=0.3),
]
"""Something beside it, which nobody asked for."""
