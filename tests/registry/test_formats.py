"""Files as the first hotbed with them wrote them are read still; newer ones are named as such."""

from __future__ import annotations

import json
import os
import sqlite3
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hotbed.errors import CorruptFileError, MissingFileError, RegistryError, SignatureError
from hotbed.registry import Registry
from hotbed.registry.archived import read_index
from hotbed.registry.checkout import _manifest
from hotbed.registry.derived import derive
from hotbed.registry.events import read_events
from hotbed.registry.manifest import Manifest, sha256
from hotbed.registry.ownership import HEADS, MARKER, read_marker
from hotbed.registry.reference import REFERENCE_FILE, ReferenceVectors, read_reference
from hotbed.registry.registered import Registered
from hotbed.registry.resolutions import _path, recall
from hotbed.registry.trail import read_trail

_TEXTS = "key family tokenizer base_model created_at created_by description domain licence".split()
SAMPLES = Path(__file__).parents[1] / "data" / "registry"


def test_a_manifest() -> None:
    """Keys of a later hotbed are kept: the digest is over them."""
    content = (SAMPLES / "manifest_1.json").read_bytes()
    manifest = Manifest.decode(content)
    assert (manifest.name, manifest.dimension, manifest.files[0].size) == ("support", 32, 2)
    assert manifest.encode() == content
    with pytest.raises(CorruptFileError, match="a newer hotbed wrote it: version 2"):
        Manifest.decode(content.replace(b'"manifest":1', b'"manifest":2'))


def test_a_manifest_kept_on_this_machine(registry: Registry, tmp_path: Path) -> None:
    """It is read under its digest, without the database; a changed one is not believed."""
    content = (SAMPLES / "manifest_1.json").read_bytes()
    said: dict[str, Any] = dict.fromkeys(_TEXTS, "")
    said |= {"id": 1, "formats": (), "dimension": 32, "size": 2, "deprecated": None}
    found = Registered(name="support", version="1.0.0", manifest=sha256(content), **said)
    path = tmp_path / "manifests" / f"{found.manifest}.json"
    path.parent.mkdir()
    path.write_bytes(content)
    assert _manifest(registry.store, found, tmp_path).files[0].path == "config.json"
    path.write_bytes(content.replace(b'"ada"', b'"eve"'))
    with pytest.raises(MissingFileError, match="its manifest .* is gone"):
        _manifest(registry.store, found, tmp_path)


def test_the_list_of_an_archive() -> None:
    """Keys of a later hotbed are passed over."""
    content = (SAMPLES / "archive_1.json").read_bytes()
    (entry,) = read_index(content)
    assert (entry.notes.description, entry.notes.metrics) == ("one", {"ndcg": 0.5})
    with pytest.raises(CorruptFileError, match="a newer hotbed wrote the archive: version 2"):
        read_index(content.replace(b'"archive":1', b'"archive":2'))


def test_what_a_reference_meant(tmp_path: Path) -> None:
    """What a later hotbed wrote is not known here, and is asked for again."""
    path = _path(tmp_path, "/r", "support@production")
    path.parent.mkdir(parents=True)
    said = json.loads((SAMPLES / "resolution_1.json").read_bytes())
    path.write_text(json.dumps(said), encoding="utf-8")
    found = recall(tmp_path, "/r", "support@production")
    assert found is not None
    assert (str(found.version), found.version.dimension) == ("support@1.0.0", 32)
    path.write_text(json.dumps({**said, "format_version": 2}), encoding="utf-8")
    assert recall(tmp_path, "/r", "support@production") is None


@pytest.mark.parametrize("sample", ["reference_0.safetensors", "reference_1.safetensors"])
def test_reference_vectors(tmp_path: Path, sample: str) -> None:
    """The first ones name no format; the same vectors are the same bytes every time."""
    content = (SAMPLES / sample).read_bytes()
    path = tmp_path / REFERENCE_FILE
    path.write_bytes(content)
    found = read_reference(tmp_path)
    assert found is not None
    assert found.texts == ("one", "two – ä")
    np.testing.assert_array_equal(found.vectors, np.arange(6).reshape(2, 3) / 8)
    now = (SAMPLES / "reference_1.safetensors").read_bytes()
    assert ReferenceVectors(texts=found.texts, vectors=found.vectors).encode() == now
    path.write_bytes(now.replace(b'"version": "1"', b'"version": "2"'))
    with pytest.raises(CorruptFileError, match="a newer hotbed wrote it: version 2"):
        read_reference(tmp_path)
    path.write_bytes(now.replace(b"hotbed.reference-v", b"hotbed.something-v"))
    with pytest.raises(CorruptFileError, match=r"its format is 'hotbed\.something-vectors'"):
        read_reference(tmp_path)


def _with_events(registry: Registry, rows: list[dict[str, Any]]) -> None:
    with sqlite3.connect(Path(registry.store.place) / "registry.sqlite3") as connection:
        for row in rows:
            places = ", ".join(f":{name}" for name in row)
            connection.execute(f"INSERT INTO events ({', '.join(row)}) VALUES ({places})", row)
        last = (rows[-1]["seq"], rows[-1]["digest"])
        connection.execute("UPDATE chain SET seq = ?, digest = ?", last)
    connection.close()


def test_events(registry: Registry) -> None:
    """Their digests are what they were, and keys of a later hotbed are passed over."""
    rows = json.loads((SAMPLES / "event_1.json").read_bytes())
    _with_events(registry, rows)
    with registry.store.database.reading() as connection:
        trail = read_trail(connection)
        tables = derive(connection, trail.events).tables
        kinds = [event.kind for event in read_events(connection)]
    assert trail.problems == []
    assert kinds == ["register", "promote", "annotate", "deprecate"]
    key = ("support", "0.0.1")
    assert tables["versions"][key]["deprecated"] == "old"
    assert (*key, "a") in tables["tags"]
    assert tables["metrics"][(*key, "ndcg")]["value"] == 0.5


def test_an_event_of_a_later_version(registry: Registry, model: Path) -> None:
    """Each command that would have to follow it says so."""
    registry.register("support", model)
    with sqlite3.connect(Path(registry.store.place) / "registry.sqlite3") as file:
        file.execute("""UPDATE events SET payload = replace(payload, '"event":1', '"event":2')""")
    file.close()
    said = (
        r"event 1 \(register support 0\.0\.1\) cannot be read: a newer hotbed wrote it: version 2"
    )
    with pytest.raises(RegistryError, match=said):
        registry.audit()
    with registry.store.database.reading() as connection, pytest.raises(RegistryError, match=said):
        list(read_events(connection))


def test_what_is_written_names_its_version(registry: Registry, model: Path) -> None:
    """Every event."""
    registry.register("support", model)
    registry.promote("support", "production")
    with registry.store.database.reading() as connection:
        assert [event.payload["event"] for event in read_events(connection)] == [1, 1]


def test_the_store_of_files(registry: Registry, model: Path) -> None:
    """Its marker, and how far the chain had come."""
    registry.register("support", model)
    blobs = Path(registry.store.place) / "blobs"
    (blobs / MARKER).write_bytes((SAMPLES / "store_1.json").read_bytes())
    assert read_marker(registry.store.blobs) == "ab" * 16
    sample = (SAMPLES / "head_1.json").read_bytes()
    for path in (blobs / HEADS).iterdir():
        path.unlink()
    (blobs / HEADS / f"9-{'ab' * 32}.json").write_bytes(sample)
    (head,) = registry.store.ownership.heads()
    assert (head.seq, head.digest, head.versions) == (9, "ab" * 32, 3)


def test_a_signature(tmp_path: Path) -> None:
    """A sigstore bundle, which names its own format."""
    if "signing" not in os.environ.get("HOTBED_REQUIRE", "").split(","):
        pytest.importorskip("model_signing.signing", reason='needs pip install "hotbed[signing]"')
    from hotbed.registry.signing import _verify

    sample = json.loads((SAMPLES / "signature_1.json").read_bytes())
    content = sample["manifest"].encode()
    manifest, digest = Manifest.decode(content), sha256(content)
    assert json.loads(sample["signature"])["mediaType"].endswith("bundle.v0.3+json")
    said: dict[str, Any] = dict.fromkeys(_TEXTS, "")
    said |= {"id": 1, "formats": (), "dimension": 32, "size": 2, "deprecated": None}
    found = Registered(name="support", version="1.0.0", manifest=digest, **said)
    folder, key = tmp_path / digest, tmp_path / "key.pub"
    folder.mkdir()
    (folder / "config.json").write_text(sample["file"], encoding="utf-8")
    key.write_text(sample["public_key"], encoding="utf-8")
    _verify(found, manifest, folder, key, sample["signature"])
    other = Registered(name="support", version="1.0.1", manifest="0" * 64, **said)
    with pytest.raises(SignatureError, match="and support@1.0.1 has manifest 0000"):
        _verify(other, manifest, folder, key, sample["signature"])


@pytest.mark.parametrize("sample", sorted(SAMPLES.glob("database_*.sql")), ids=lambda p: p.stem)
def test_a_database(tmp_path: Path, sample: Path) -> None:
    """Of every version of the tables: nothing in it is lost."""
    connection = sqlite3.connect(tmp_path / "registry.sqlite3")
    connection.executescript(sample.read_text(encoding="utf-8"))
    connection.close()
    with Registry(tmp_path) as registry:
        assert registry.resolve("support@production").version == "1.0.0"
        assert registry.audit().events == 9
