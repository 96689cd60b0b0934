"""Files on S3 (moto's server, on this machine) and on other file systems that fsspec knows."""

from __future__ import annotations

import hashlib
import os
import uuid
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import hotbed
from hotbed import Deployment
from hotbed.errors import (
    CorruptFileError,
    MissingFileError,
    RegistryUnavailableError,
    UsageError,
)
from hotbed.models.digests import DigestCache
from hotbed.registry import Registry
from hotbed.registry.blobs import SMALL
from hotbed.registry.checkout import checkout
from hotbed.registry.remote_blobs import RemoteBlobs
from hotbed.testing import build_tiny
from tests.registry.test_processes import TIMES, WRITERS, register_many, run


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    """A server that speaks S3, on a port of its own."""
    needed = "s3" in os.environ.get("HOTBED_REQUIRE", "").split(",")
    try:
        import s3fs
        from moto.server import ThreadedMotoServer
    except ImportError as error:
        if needed:
            raise
        pytest.skip(f'needs pip install "hotbed[s3]" "moto[server]": {error}')
    assert s3fs
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def s3(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """The URL of a place in a bucket of the test's own."""
    import s3fs

    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
    s3fs.S3FileSystem.clear_instance_cache()
    bucket = f"bucket-{uuid.uuid4().hex[:8]}"
    s3fs.S3FileSystem().mkdir(bucket)
    return f"s3://{bucket}/registry"


@pytest.fixture(params=["s3", "memory", "local"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty place: an object store, and one on which files are written bit by bit."""
    if request.param == "s3":
        return str(request.getfixturevalue("s3"))
    own = uuid.uuid4().hex
    return f"memory://{own}" if request.param == "memory" else f"local://{tmp_path}/{own}"


def test_blobs(place: str, tmp_path: Path) -> None:
    """Stored once under their digest, read back, listed and removed; small ones and large ones."""
    blobs = RemoteBlobs(place)
    assert list(blobs) == []
    large = tmp_path / "large"
    large.write_bytes(os.urandom(SMALL + 1))
    digest, size = blobs.put_file(large)
    assert digest == hashlib.sha256(large.read_bytes()).hexdigest()
    small = blobs.put(b"small")
    assert blobs.put(b"small") == small
    assert {blob.digest: blob.size for blob in blobs} == {digest: size, small: 5}
    assert blobs.get(digest) == large.read_bytes()
    assert (blobs.size(small), blobs.local(small)) == (5, None)
    before = {blob.digest: blob.wanted for blob in blobs}
    blobs.put_file(large)
    assert {blob.digest: blob.wanted for blob in blobs} == before
    blobs.tidy(0)
    blobs.remove(small)
    blobs.remove(small)
    assert blobs.size(small) is None
    with pytest.raises(MissingFileError, match=small):
        blobs.open(small)
    with pytest.raises(UsageError, match="no sha256"):
        blobs.size("../x")


def test_a_registry(isolated: None, place: str, model: Path, tmp_path: Path) -> None:
    """From registration to loading, and to the doctor and the collection of garbage."""
    with Registry(tmp_path / "r", blobs=place, who="ada") as registry:
        registry.register("support", model)
        with (
            hotbed.load("registry:support", registry=registry) as loaded,
            hotbed.load(model) as own,
        ):
            assert np.array_equal(loaded.encode("bread"), own.encode("bread"))
        assert registry.doctor().faults == ()
        registry.register("support", model)
        registry.delete("support@0.0.1")
        assert registry.gc(older_than=0).blobs == 0
        registry.delete("support@0.0.2")
        assert registry.gc(older_than=0).blobs == 8
        assert list(registry.store.blobs) == []


def test_damage_on_the_way(isolated: None, s3: str, model: Path, tmp_path: Path) -> None:
    """An object that is not what its name says is found before anything is loaded."""
    import s3fs

    with Registry(tmp_path / "r", blobs=s3, who="ada") as registry:
        made = registry.register("support", model)
        entry = next(e for e in registry.manifest("support").files if e.path == "tokenizer.json")
        path = f"{s3.removeprefix('s3://')}/sha256/{entry.sha256[:2]}/{entry.sha256}"
        content = bytearray(s3fs.S3FileSystem().cat_file(path))
        content[10] ^= 1
        s3fs.S3FileSystem().pipe_file(path, bytes(content))
        with pytest.raises(CorruptFileError, match=r"support@0.0.1: tokenizer.json is damaged"):
            checkout(registry.store, made, tmp_path / "c", DigestCache(tmp_path / "d"))
        assert [fault.path for fault in registry.doctor().faults] == ["tokenizer.json"]
        assert registry.doctor([model], mend=True).faults == ()


def test_nobody_replaces_what_is_there(s3: str) -> None:
    """The store itself refuses a second object of that name; a writer who comes late is content."""
    import s3fs

    blobs = RemoteBlobs(s3)
    digest = blobs.put(b"first")
    path = f"{s3.removeprefix('s3://')}/sha256/{digest[:2]}/{digest}"
    with pytest.raises(FileExistsError):
        s3fs.S3FileSystem().pipe_file(path, b"other", mode="create")
    late = RemoteBlobs(s3)
    late._send(digest, 5, b"first")
    assert late.get(digest) == b"first"


def test_sixteen_writers(
    s3: str, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Many processes store the same objects at once: no error, and every version is whole."""
    monkeypatch.setenv("HOTBED_REGISTRY_BLOBS", s3)
    start = tmp_path / "start"
    start.touch()
    place, times = tmp_path / "r", min(TIMES, 2)
    found = run(register_many, [(str(place), str(model), times, str(start), s3)] * WRITERS)
    assert len({version for some in found for version in some}) == WRITERS * times
    with Registry(place, blobs=s3) as registry:
        assert registry.doctor().faults == ()
        assert len(list(registry.store.blobs)) == 8


def unreachable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let nobody answer from now on."""
    pytest.importorskip("s3fs").S3FileSystem.clear_instance_cache()
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")


def test_a_store_that_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its own error is shown, with the place."""
    unreachable(monkeypatch)
    blobs = RemoteBlobs("s3://nobody/x")
    for call in (blobs.size, blobs.open, blobs.get, blobs.remove, blobs.objects.read):
        with pytest.raises(RegistryUnavailableError, match=r"s3://nobody/x cannot be used: "):
            call("0" * 64)


def test_a_store_that_stops_to_answer(
    isolated: None, s3: str, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is held against a version: once the store is there again, it is served."""
    import s3fs

    endpoint = os.environ["AWS_ENDPOINT_URL"]
    with Registry(tmp_path / "r", blobs=s3, who="ada") as registry:
        registry.register("support", model)
        with Deployment("support", registry=registry, poll=None) as deployed:
            deployed.encode("bread")
            made = registry.register("support", build_tiny(tmp_path / "second", seed=2))
            unreachable(monkeypatch)
            assert deployed.refresh().stale
            assert "cannot be used" in deployed.status().changes[-1].reason
            assert deployed.encode("bread").shape == (32,)
            monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
            s3fs.S3FileSystem.clear_instance_cache()
            deployed.refresh()
            assert deployed.status().refused == ()
            assert deployed.status().model.endswith(str(made))


def test_a_store_that_fails_in_the_middle(
    place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a file system raises while a blob is read is no error of its own kind."""
    blobs = RemoteBlobs(place)
    digest = blobs.put(b"x" * 100)
    with blobs.open(digest) as file:
        assert file.read(10) == b"x" * 10
        monkeypatch.setattr(file, "_file", None)  # as far as a connection may be gone
        with pytest.raises(RegistryUnavailableError, match="cannot be used"):
            file.read(10)


def test_a_scheme_that_nobody_knows(tmp_path: Path) -> None:
    """It is named."""
    with pytest.raises(UsageError, match="nosuch"):
        Registry(tmp_path / "r", blobs="nosuch://x")
