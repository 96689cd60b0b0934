"""Damage is found before a single wrong vector, and the message says where it is."""

from __future__ import annotations

import os
import sqlite3
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

import hotbed
from hotbed.errors import CorruptFileError, HotbedError, MissingFileError
from hotbed.models.digests import DigestCache, sha256
from hotbed.publishing import STAGE_PREFIX
from hotbed.registry import Registry
from hotbed.registry.checkout import checkout, prune_checkouts
from tests.registry.damage import DAMAGES, cut, damaged, flip

FILES = ("model.safetensors", "tokenizer.json", "config.json", "modules.json")


@pytest.mark.parametrize("fresh", [True, False], ids=["first load", "loaded before"])
@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("name", FILES)
def test_damage_is_found_before_anything_is_loaded(
    isolated: None,
    registry: Registry,
    model: Path,
    name: str,
    damage: Callable[[Path], None],
    fresh: bool,
) -> None:
    """Model, version, file, expected and found digest are named."""
    registry.register("support", model)
    if not fresh:
        hotbed.load("registry:support", registry=registry.store.place).close()
    expected = damaged(registry, name, damage, keep=False)
    with pytest.raises(CorruptFileError) as caught:
        hotbed.load("registry:support", registry=registry.store.place)
    blob = registry.store.blobs.local(expected)
    assert blob is not None
    for part in ("support@0.0.1", name, expected, sha256(blob)):
        assert part in str(caught.value)


def test_silent_damage_is_found_by_the_paranoid(
    registry: Registry, model: Path, tmp_path: Path
) -> None:
    """A byte that changed and left no trace is found when every byte is read again."""
    registry.register("support", model)
    found, digests = registry.resolve("support"), DigestCache(tmp_path / "digests")
    checkout(registry.store, found, tmp_path / "cache", digests)
    damaged(registry, "model.safetensors", flip, keep=True)
    with pytest.raises(CorruptFileError, match="support@0.0.1: model.safetensors is damaged"):
        checkout(registry.store, found, tmp_path / "cache", digests, paranoid=True)


def test_pruning_checkouts(isolated: Path, registry: Registry, model: Path) -> None:
    """What was not used for a while goes, what is loaded runs on, and the next load places it."""
    registry.register("support", model)
    place = isolated / "home" / "registered"
    with hotbed.load("registry:support", registry=registry) as loaded:
        before = loaded.encode("bread")
        (folder,) = place.glob("??/*")
        assert prune_checkouts(place, older_than=60.0) == []
        os.utime(folder, (0, 0))
        registry.checkout("support")  # used again
        assert prune_checkouts(place, older_than=60.0) == []
        os.utime(folder, (0, 0))
        assert prune_checkouts(place, older_than=60.0) == [folder]
        assert list(place.glob("??/*")) == []
        assert (loaded.encode("bread") == before).all()
    hotbed.load("registry:support", registry=registry).close()
    stage = folder.with_name(f"{STAGE_PREFIX}elsewhere~1-0")
    stage.mkdir()  # of another machine, and young: somebody is at work in it
    assert prune_checkouts(place) == [folder]
    assert stage.exists()


def test_a_damaged_manifest(registry: Registry, model: Path, tmp_path: Path) -> None:
    """Nothing is believed that it says."""
    registry.register("support", model)
    with registry.store.database.writing() as connection:
        edited = "UPDATE manifests SET content = replace(content, 'bert', 'bart')"
        connection.exec_driver_sql(edited)
    with pytest.raises(CorruptFileError, match="support@0.0.1: its manifest is damaged"):
        registry.manifest("support")
    registry.close()
    with sqlite3.connect(Path(registry.store.place) / "registry.sqlite3") as direct:
        direct.execute("DELETE FROM manifests")
    direct.close()
    with pytest.raises(MissingFileError, match="support@0.0.1: its manifest .* is gone"):
        registry.manifest("support")


def test_a_blob_that_is_gone(isolated: None, registry: Registry, model: Path) -> None:
    """It is named, and no half folder is left."""
    registry.register("support", model)
    entry = next(e for e in registry.manifest("support").files if e.path == "config.json")
    registry.store.blobs.remove(entry.sha256)
    with pytest.raises(HotbedError, match=rf"support@0.0.1: config.json is gone.*{entry.sha256}"):
        hotbed.load("registry:support", registry=registry.store.place)


def test_blobs_cannot_be_written_by_mistake(registry: Registry, model: Path) -> None:
    """Their files are read-only, and so are the links in checked-out folders."""
    registry.register("support", model)
    for blob in registry.store.blobs:
        path = registry.store.blobs.local(blob.digest)
        assert path is not None
        assert not path.stat().st_mode & (stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH)


def test_registering_again_heals_a_blob_that_was_cut_off(
    isolated: None, registry: Registry, model: Path
) -> None:
    """What has another size than it should is not taken for what is there already."""
    registry.register("support", model)
    damaged(registry, "model.safetensors", cut, keep=False)
    registry.register("support", model)
    hotbed.load("registry:support@0.0.1", registry=registry.store.place).close()


def test_a_checked_out_folder_is_made_anew(
    registry: Registry, model: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A file that is gone from it, or was replaced in it, comes back, and is told."""
    registry.register("support", model)
    found, digests = registry.resolve("support"), DigestCache(tmp_path / "digests")
    folder = checkout(registry.store, found, tmp_path / "cache", digests)
    (folder / "config.json").unlink()
    (folder / "modules.json").unlink()
    (folder / "modules.json").write_text("[]", encoding="utf-8")
    again = checkout(registry.store, found, tmp_path / "cache", digests)
    assert again == folder
    assert (again / "config.json").read_bytes() == (model / "config.json").read_bytes()
    assert (again / "modules.json").read_bytes() == (model / "modules.json").read_bytes()
    assert "config.json is not in" in caplog.text
    assert sorted(path.name for path in folder.parent.iterdir()) == [folder.name]
