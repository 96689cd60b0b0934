"""Changes of a registry's archive: its members, their headers, and the documents in it."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from random import Random
from typing import Any

from tests.fuzz.hostile import dump
from tests.fuzz.json_mutations import changed_value
from tests.fuzz.mutation import MEANING, Mutation, NotApplicableError, Place

__all__ = ["TARS"]

Members = list[tuple[tarfile.TarInfo, bytes]]
_KINDS = (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE)
_NAMES = ("../outside", "/tmp/outside", "manifests/../x", "blobs/", "x\x1b[31m", "a" * 300, "ü數")
_SPARSE = 1 << 33


def _read(place: Place) -> Members:
    try:
        with tarfile.open(place.file, "r:") as tar:
            found = []
            for member in tar:
                if member.size > 1 << 30:
                    raise NotApplicableError("a member full of holes")
                source = tar.extractfile(member) if member.isreg() else None
                found.append((member, source.read() if source else b""))
    except (tarfile.TarError, OSError, ValueError) as error:
        raise NotApplicableError("no tar any more") from error
    if not found:
        raise NotApplicableError("an empty tar")
    return found


def _write(place: Place, members: Members) -> None:
    with tarfile.open(place.file, "w", format=tarfile.PAX_FORMAT) as tar:
        for member, content in members:
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))


def _member(rng: Random, place: Place) -> str:
    members = _read(place)
    number = rng.randrange(len(members))
    member, content = members[number]
    way = rng.randrange(6)
    if way == 0:
        del members[number]
    elif way == 1:
        members.insert(number, (tarfile.TarInfo(member.name), content))
    elif way == 2:
        rng.shuffle(members)
    elif way == 3:
        member.name = rng.choice(_NAMES)
    elif way == 4:
        member.type = rng.choice(_KINDS)
        member.linkname = str(place.outside / ".ssh" / "id_rsa")
        members[number] = (member, b"")
    else:
        members[number] = (member, rng.choice((b"", content[:-1], content + b"x", b"\x00" * 99)))
    _write(place, members)
    return f"member {number}, way {way}"


def _sparse(rng: Random, place: Place) -> str:
    """A member that says that it is gigabytes of holes."""
    members = _read(place)
    number = rng.randrange(len(members))
    member, content = members[number]
    size = rng.choice((_SPARSE, 1 << 45))
    member.pax_headers = {
        "GNU.sparse.major": "0",
        "GNU.sparse.minor": "1",
        "GNU.sparse.name": member.name,
        "GNU.sparse.map": f"0,{len(content)}",
        "GNU.sparse.size": str(size),
        "GNU.sparse.numblocks": "1",
    }
    if rng.random() < 0.5:
        members = _rehashed(members, number, size)
    _write(place, members)
    return f"member {number} is {size:,} bytes of holes"


def _rehashed(members: Members, number: int, size: int) -> Members:
    """Make the manifests believe the size of a blob."""
    digest = members[number][0].name.removeprefix("blobs/")

    def change(value: Any) -> Any:
        for entry in value.get("files", ()):
            if entry["sha256"] == digest:
                entry["size"] = size
        return value

    return _with_documents(members, change)


def _pax(rng: Random, place: Place) -> str:
    members = _read(place)
    member = rng.choice(members)[0]
    key = rng.choice(("size", "path", "linkpath", "mtime", "uid", "hdrcharset", "GNU.sparse.map"))
    value = rng.choice(
        ("-1", "0", "99999999999999999999", "x", "../x", "1e9", "0,1,2", "BINARY", "")
    )
    member.pax_headers = {key: value}
    _write(place, members)
    return f"a header {key}={value!r}"


def _index(rng: Random, place: Place) -> str:
    members = _read(place)
    member, content = members[0]
    try:
        value, told = changed_value(rng, json.loads(content))
    except (ValueError, RecursionError) as error:
        raise NotApplicableError("no index") from error
    members[0] = (member, dump(rng, value).encode("utf-8", "surrogatepass"))
    _write(place, members)
    return f"the list of versions: {told}"


def _manifest(rng: Random, place: Place) -> str:
    """Something else in a manifest, with the digests put right, as an attacker would."""
    told = ""

    def change(value: Any) -> Any:
        nonlocal told
        value, told = changed_value(rng, value)
        return value

    _write(place, _with_documents(_read(place), change, rng))
    return f"a manifest: {told}"


def _paths(rng: Random, place: Place) -> str:
    """Names of files that do not go together, in a manifest that is right otherwise."""
    name = rng.choice(
        ("config.json/x", "../x", "/x", "CONFIG.JSON", "a" * 300, "x\x1b[31m", "", "con")
    )

    def change(value: Any) -> Any:
        if not value.get("files"):
            raise NotApplicableError("no files")
        value["files"] = [*value["files"], {**value["files"][0], "path": name}]
        value["files"].sort(key=lambda entry: str(entry["path"]))
        return value

    _write(place, _with_documents(_read(place), change))
    return f"a manifest has the file {name[:40]!r}"


def _with_documents(members: Members, change: Any, rng: Random | None = None) -> Members:
    """Change one manifest, and every place that names it by its digest."""
    numbers = [i for i, (member, _) in enumerate(members) if member.name.startswith("manifests/")]
    if not numbers or not members[0][0].name.endswith(".json"):
        raise NotApplicableError("no manifests")
    number = numbers[0] if rng is None else rng.choice(numbers)
    member, content = members[number]
    try:
        value = change(json.loads(content))
    except (ValueError, AttributeError, KeyError, TypeError) as error:
        raise NotApplicableError("no manifest") from error
    plain = (
        json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        if (rng is None)
        else dump(rng, value)
    )
    changed = _like(content, plain)
    old, new = member.name.removeprefix("manifests/"), hashlib.sha256(changed).hexdigest()
    member.name = f"manifests/{new}"
    members[number] = (member, changed)
    first, index = members[0]
    members[0] = (first, index.replace(old.encode(), new.encode()))
    return members


def _like(content: bytes, plain: str) -> bytes:
    """In the form that manifests have, where the value is plain JSON."""
    from hotbed.registry.manifest import canonical

    del content
    try:
        return canonical(json.loads(plain))
    except (ValueError, RecursionError, TypeError):
        return plain.encode("utf-8", "surrogatepass")


TARS = [
    Mutation(name="member", act=_member, effect=MEANING, weight=2),
    Mutation(name="sparse", act=_sparse, effect=MEANING),
    Mutation(name="pax", act=_pax, effect=MEANING),
    Mutation(name="index", act=_index, effect=MEANING, weight=3),
    Mutation(name="manifest", act=_manifest, effect=MEANING, weight=4),
    Mutation(name="paths", act=_paths, effect=MEANING),
]
