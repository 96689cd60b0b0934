"""Versions as one tar: the same there as here, and nothing of a damaged or a forged one."""

from __future__ import annotations

import hashlib
import io
import json
import os
import random
import tarfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import hotbed
from hotbed.errors import (
    CorruptFileError,
    HotbedError,
    MissingFileError,
    RegistryError,
    UnsupportedModelError,
)
from hotbed.registry import Registry
from hotbed.testing import build_tiny
from tests.registry.damage import damaged, flip

Members = dict[str, bytes]


@pytest.fixture
def archive(isolated: None, registry: Registry, model: Path, tmp_path: Path) -> Path:
    """Two versions of two models, with everything that is said of them."""
    registry.register("support", model, metrics={"ndcg": 0.5}, tags={"a": "b"}, description="one")
    registry.register("support", build_tiny(tmp_path / "second", seed=2), parent="support@0.0.1")
    registry.register("search", model, version="2.0.0-rc.1")
    registry.deprecate("support@0.0.1", "old")
    out = tmp_path / "versions.tar"
    names = ["support@0.0.1", "support@0.0.2", "search@2.0.0-rc.1"]
    assert [str(one) for one in registry.export(names, out)] == names
    return out


@pytest.fixture
def other(tmp_path: Path) -> Registry:
    """A registry elsewhere."""
    return Registry(tmp_path / "elsewhere", who="bob")


def test_the_same_there_as_here(
    archive: Path, registry: Registry, other: Registry, tmp_path: Path
) -> None:
    """Manifests, files, notes and deprecation; parents are found where they came along."""
    done = other.import_archive(archive, why="moved")
    assert [str(one) for one in done.made] == [
        "support@0.0.1",
        "support@0.0.2",
        "search@2.0.0-rc.1",
    ]
    for one in done.made:
        here, there = registry.get(str(one)), other.get(str(one))
        assert here.manifest == there.manifest
        assert registry.manifest(str(one)) == other.manifest(str(one))
        for name in ("description", "tags", "metrics", "deprecated", "created_at", "created_by"):
            assert getattr(here, name) == getattr(there, name)
    assert other.audit().events == 4
    assert other.doctor().faults == ()
    with pytest.raises(RegistryError, match="0.0.2 was made from it"):
        other.delete("support@0.0.1")
    texts = ["bread", "a train"]
    with hotbed.load("registry:support@0.0.2", registry=registry) as a:
        expected = a.encode(texts)
    with hotbed.load("registry:support@0.0.2", registry=other) as b:
        assert np.array_equal(b.encode(texts), expected)
    again = other.import_archive(archive)
    assert (again.made, len(again.known)) == ((), 3)
    assert other.audit().events == 4


def test_the_same_versions_make_the_same_bytes(
    archive: Path, registry: Registry, tmp_path: Path
) -> None:
    """No times and no owners; each file once."""
    names = ["support@0.0.1", "support@0.0.2", "search@2.0.0-rc.1"]
    registry.export(names, tmp_path / "again.tar")
    assert (tmp_path / "again.tar").read_bytes() == archive.read_bytes()
    with tarfile.open(archive) as tar:
        blobs = [name for name in tar.getnames() if name.startswith("blobs/")]
    assert len(blobs) == len(set(blobs)) == 9


def test_a_child_that_comes_before_its_parent(
    archive: Path, registry: Registry, other: Registry, tmp_path: Path
) -> None:
    """They are linked all the same, and the parent is held."""
    registry.export(["support@0.0.2"], tmp_path / "child.tar")
    registry.export(["support@0.0.1"], tmp_path / "parent.tar")
    for name in ("child.tar", "parent.tar"):
        other.import_archive(tmp_path / name)
    with pytest.raises(RegistryError, match="0.0.2 was made from it"):
        other.delete("support@0.0.1")
    other.audit()


def test_another_version_of_that_name(archive: Path, other: Registry, model: Path) -> None:
    """Nothing of the archive is taken then."""
    other.register("support", model, version="0.0.2")
    with pytest.raises(RegistryError, match=r"support@0.0.2 of versions.tar, .* is another here"):
        other.import_archive(archive)
    assert [str(one) for one in other.search()] == ["support@0.0.2"]
    other.delete("support@0.0.2")
    with pytest.raises(RegistryError, match="was deleted here"):
        other.import_archive(archive)


def test_damage_before_the_export(registry: Registry, archive: Path, tmp_path: Path) -> None:
    """No archive is written."""
    damaged(registry, "model.safetensors", flip, keep=True)
    with pytest.raises(CorruptFileError, match="is damaged"):
        registry.export(["support"], tmp_path / "new.tar")
    assert sorted(path.name for path in tmp_path.glob("*.tar")) == ["versions.tar"]


@pytest.mark.parametrize("share", [0.0, 0.01, 0.3, 0.6, 0.85])
def test_an_archive_that_was_cut_off(archive: Path, other: Registry, share: float) -> None:
    """Wherever: nothing becomes visible, and nothing is stored."""
    content = archive.read_bytes()
    archive.write_bytes(content[: int(len(content) * share)])
    with pytest.raises((CorruptFileError, MissingFileError)):
        other.import_archive(archive)
    assert list(other.search()) == []
    assert list(other.store.blobs) == []


def members(archive: Path) -> Members:
    """What a tar holds, in order."""
    found = {}
    with tarfile.open(archive) as tar:
        for member in tar:
            source = tar.extractfile(member)
            found[member.name] = source.read() if source else b""
    return found


def rewrite(archive: Path, change: Callable[[Members], Members]) -> None:
    """Forge an archive."""
    changed = change(members(archive))
    with tarfile.open(archive, "w") as tar:
        for name, content in changed.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))


def flip_blob(found: Members) -> Members:
    """A file with another byte."""
    name = next(name for name in found if name.startswith("blobs/"))
    content = bytearray(found[name])
    content[0] ^= 1
    return {**found, name: bytes(content)}


def swap_blobs(found: Members) -> Members:
    """Two files under one another's name."""
    first, second, *_ = (name for name in found if name.startswith("blobs/"))
    return {**found, first: found[second], second: found[first]}


def lose_blob(found: Members) -> Members:
    """A file less."""
    gone = next(name for name in found if name.startswith("blobs/"))
    return {name: content for name, content in found.items() if name != gone}


def edit_manifest(found: Members) -> Members:
    """A manifest that says something else than its digest."""
    name = next(name for name in found if name.startswith("manifests/"))
    return {**found, name: found[name].replace(b"bert", b"bart")}


def add_escape(found: Members) -> Members:
    """A file that nothing asks for, with a path that leads out."""
    index, *rest = found
    return {index: found[index], "../escape": b"x", **{name: found[name] for name in rest}}


def add_more(found: Members) -> Members:
    """A file at the end that nothing asks for."""
    return {**found, "blobs/" + "0" * 64: b"x"}


def forge_path(found: Members) -> Members:
    """A manifest whose digest is right, and whose paths lead elsewhere."""
    old = next(name for name in found if name.startswith("manifests/"))
    document = json.loads(found[old])
    document["files"][0]["path"] = "../../escape"
    text = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    digest = hashlib.sha256(text.encode()).hexdigest()
    index = json.loads(found["hotbed-archive.json"])
    entry = next(e for e in index["versions"] if e["manifest"] == old.partition("/")[2])
    index["versions"], entry["manifest"] = [entry], digest
    forged = {"hotbed-archive.json": json.dumps(index).encode()}
    forged[f"manifests/{digest}"] = text.encode()
    return forged | {name: content for name, content in found.items() if "blobs/" in name}


def no_index(found: Members) -> Members:
    """A list of versions that is none."""
    return {**found, "hotbed-archive.json": b'{"archive": 1, "versions": [{"manifest": "x"}]}'}


def newer_index(found: Members) -> Members:
    """A list that a later hotbed wrote."""
    return {**found, "hotbed-archive.json": b'{"archive": 2, "releases": []}'}


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (flip_blob, "is damaged"),
        (swap_blobs, "bytes, and its manifest says|is damaged"),
        (lose_blob, "where blobs/"),
        (edit_manifest, "is damaged: it has sha256"),
        (add_escape, "where manifests/"),
        (add_more, "at its end, which no version asks for"),
        (forge_path, "leads elsewhere"),
        (no_index, "versions.0.manifest: .*versions.0.notes: "),
        (newer_index, "a newer hotbed wrote the archive: version 2, .*Update hotbed"),
    ],
)
def test_a_forged_archive(
    archive: Path, other: Registry, change: Callable[[Members], Members], why: str
) -> None:
    """Nothing in it is believed."""
    rewrite(archive, change)
    with pytest.raises(HotbedError, match=why):
        other.import_archive(archive)
    assert list(other.search()) == []
    assert list(other.store.blobs) == []
    assert other.doctor().faults == ()


@pytest.mark.parametrize(
    "kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.DIRTYPE]
)
def test_members_that_are_no_files(archive: Path, other: Registry, kind: bytes) -> None:
    """Links, devices and folders under a blob's name."""
    found = members(archive)
    with tarfile.open(archive, "w") as tar:
        for name, content in found.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            if name == list(found)[-1]:
                info.type, info.size, info.linkname = kind, 0, "/etc/passwd"
            tar.addfile(info, io.BytesIO(content))
    with pytest.raises(CorruptFileError, match="where blobs/"):
        other.import_archive(archive)
    assert list(other.store.blobs) == []


def test_any_byte_of_an_archive(archive: Path, other: Registry) -> None:
    """Whatever changes: an error of hotbed and nothing stored, or the very same versions."""
    whole, chance = archive.read_bytes(), random.Random(5)
    with tarfile.open(archive) as tar:
        starts = [member.offset for member in tar]
    taken = False
    for _ in range(60):
        content = bytearray(whole)
        at = chance.choice([chance.choice(starts) + chance.randrange(512), chance.randrange(9000)])
        content[at] = chance.choice([0, 0x20, 0x35, 0x78, 0x4C, 0x53, 0xFF])
        if chance.random() < 0.3:  # as who forges a header does
            block = at - at % 512
            header = content[block : block + 512]
            header[148:156] = b" " * 8
            content[block + 148 : block + 156] = b"%06o\0 " % sum(header)
        archive.write_bytes(content)
        try:
            other.import_archive(archive)
        except HotbedError:
            assert taken or list(other.store.blobs) == []
        else:
            taken = True  # a byte that says nothing
    archive.write_bytes(whole)
    other.import_archive(archive)
    other.audit()
    assert other.doctor().faults == ()


@pytest.mark.skipif("sys.platform == 'win32'", reason="no pipes with names there")
def test_a_pipe_is_no_archive(other: Registry, tmp_path: Path) -> None:
    """It would be waited for, and cannot be read twice."""
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", tmp_path):
        with pytest.raises(CorruptFileError):
            other.import_archive(path)


def test_what_is_no_archive(other: Registry, tmp_path: Path) -> None:
    """The message names the file."""
    (tmp_path / "x.tar").write_bytes(b"no tar")
    with pytest.raises(CorruptFileError, match=r"x.tar is no archive"):
        other.import_archive(tmp_path / "x.tar")
    with pytest.raises(MissingFileError, match="nothing.tar"):
        other.import_archive(tmp_path / "nothing.tar")


def test_a_manifest_is_mended_from_an_archive(
    archive: Path, registry: Registry, tmp_path: Path
) -> None:
    """An unpacked archive holds every copy that a repair may need."""
    with registry.store.database.writing() as connection:
        connection.exec_driver_sql("UPDATE manifests SET content = '{}'")
    with tarfile.open(archive) as tar:
        tar.extractall(tmp_path / "unpacked", filter="data")
    assert len(registry.doctor().faults) == 3
    assert registry.doctor([tmp_path / "unpacked"], mend=True).faults == ()


# --- from the hub ---------------------------------------------------------------------------


def hub_cache(place: Path, model: Path) -> None:
    """A repository as huggingface_hub's cache keeps it, with links into ``blobs``, by hand."""
    repository, commit = place / "models--acme--tiny", "0123456789abcdef0123456789abcdef01234567"
    snapshot = repository / "snapshots" / commit
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text(commit, encoding="utf-8")
    (repository / "blobs").mkdir()
    more = {"pytorch_model.bin": b"pickle", "tf_model.h5": b"hdf", "README.md": b"card"}
    files = {
        p.relative_to(model).as_posix(): p.read_bytes() for p in model.rglob("*") if p.is_file()
    }
    for name, content in {**files, **more}.items():
        blob = repository / "blobs" / hashlib.sha256(content).hexdigest()
        blob.write_bytes(content)
        (snapshot / name).parent.mkdir(parents=True, exist_ok=True)
        (snapshot / name).symlink_to(blob)


@pytest.mark.skipif("sys.platform == 'win32'", reason="symbolic links need a privilege there")
def test_a_model_from_the_hub(isolated: Path, registry: Registry, model: Path) -> None:
    """What runs it, and what describes it; not the weights of other frameworks."""
    hub_cache(isolated / "hf" / "hub", model)
    made = registry.import_from(
        "hf://acme/tiny", "tiny", cache_folder=isolated / "hf" / "hub", local_files_only=True
    )
    files = {entry.path for entry in registry.manifest("tiny").files}
    assert {"model.safetensors", "tokenizer.json", "1_Pooling/config.json", "README.md"} <= files
    assert not files & {"pytorch_model.bin", "tf_model.h5"}
    assert made.base_model.startswith("hf://acme/tiny")
    with hotbed.load("registry:tiny", registry=registry) as a, hotbed.load(model) as b:
        assert np.array_equal(a.encode("bread"), b.encode("bread"))
    assert not list((isolated / "home").glob("fetched-*"))


@pytest.mark.skipif("sys.platform == 'win32'", reason="symbolic links need a privilege there")
def test_a_link_out_of_a_folder(isolated: Path, registry: Registry, model: Path) -> None:
    """It is refused: what it means is nobody's model."""
    secret = isolated / "secret.txt"
    secret.write_text("x", encoding="utf-8")
    (model / "notes.txt").symlink_to(secret)
    with pytest.raises(UnsupportedModelError, match=r"notes.txt is a link to .*secret.txt"):
        registry.import_from(str(model), "tiny")
