"""The doctor finds every damage, names who needs the file, and mends what a copy can mend."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from hotbed.errors import UsageError
from hotbed.models.digests import DigestCache
from hotbed.registry import Registry
from hotbed.registry.checkout import checkout
from tests.registry.damage import DAMAGES, damaged, flip


def test_a_sound_registry(registry: Registry, model: Path) -> None:
    """Nothing is wrong, and everything was read once, however many versions share it."""
    registry.register("support", model)
    registry.register("support", model)
    found = registry.doctor()
    assert (found.versions, found.faults, found.orphans) == (2, (), 0)
    assert found.blobs == len(registry.manifest("support").files)


@pytest.mark.parametrize("keep", [True, False], ids=["times kept", "times changed"])
@pytest.mark.parametrize("damage", DAMAGES)
def test_every_damage_is_found_and_mended(
    isolated: None,
    registry: Registry,
    model: Path,
    tmp_path: Path,
    damage: Callable[[Path], None],
    keep: bool,
) -> None:
    """File, versions and digests are named; the model's own folder mends it."""
    registry.register("support", model)
    registry.register("support", model)
    digest = damaged(registry, "tokenizer.json", damage, keep=keep)
    (fault,) = registry.doctor().faults
    assert (fault.digest, fault.path) == (digest, "tokenizer.json")
    assert fault.versions == ("support@0.0.1", "support@0.0.2")
    assert digest in fault.said
    done = registry.doctor([model], mend=True)
    assert (done.faults, len(done.repaired)) == ((), 1)
    found = registry.resolve("support")
    checkout(registry.store, found, tmp_path / "c", DigestCache(tmp_path / "d"), paranoid=True)


def test_what_no_copy_can_mend_stays_a_fault(
    isolated: None, registry: Registry, model: Path, tmp_path: Path
) -> None:
    """A manifest is in no model's folder; a copy of it mends it."""
    registry.register("support", model)
    other = Registry(tmp_path / "other")
    (tmp_path / "saved").mkdir()
    (tmp_path / "saved" / "anything").write_bytes(registry.manifest("support").encode())
    with registry.store.database.writing() as connection:
        edited = "UPDATE manifests SET content = replace(content, 'bert', 'bart')"
        connection.exec_driver_sql(edited)
    (fault,) = registry.doctor([model], mend=True).faults
    assert str(fault).startswith("support@0.0.1: the manifest: expected sha256")
    assert registry.doctor([tmp_path / "saved"], mend=True).faults == ()
    assert other.doctor().versions == 0


def test_what_a_killed_writer_left(registry: Registry, model: Path) -> None:
    """It is no fault; it is counted once it is old, and gc takes it."""
    registry.register("support", model)
    stage = Path(registry.store.place) / "blobs" / "stages" / "1-left"
    stage.write_bytes(b"half")
    assert registry.doctor().stages == 0
    os.utime(stage, (0, 0))
    found = registry.doctor()
    assert (found.stages, found.faults) == (1, ())
    registry.gc(dry=True)
    assert stage.exists()
    registry.gc()
    assert (registry.doctor().stages, stage.exists()) == (0, False)


def test_parts_are_the_whole(registry: Registry, model: Path) -> None:
    """Seven runs read every file once, and find what one run finds."""
    registry.register("support", model)
    digest = damaged(registry, "tokenizer.json", flip, keep=True)
    whole, parts = registry.doctor(), [registry.doctor(part=(n, 7)) for n in range(1, 8)]
    assert sum(part.blobs for part in parts) == whole.blobs
    assert [fault.digest for part in parts for fault in part.faults] == [digest]
    assert all(part.orphans == 0 for part in parts)
    for wrong in ((0, 7), (8, 7), (1, 0)):
        with pytest.raises(UsageError, match="part"):
            registry.doctor(part=wrong)


def test_a_broken_trail_is_a_fault(registry: Registry, model: Path) -> None:
    """What the audit says, the doctor says too."""
    registry.register("support", model)
    with registry.store.database.writing() as connection:
        connection.exec_driver_sql("UPDATE events SET who = 'eve'")
    (fault,) = registry.doctor().faults
    assert "event 1" in str(fault)


def test_hard_links_are_no_copies(isolated: None, registry: Registry, model: Path) -> None:
    """A checkout of the damaged file is the damaged file: that is said, with what helps."""
    registry.register("support", model)
    folder = registry.checkout("support")
    damaged(registry, "tokenizer.json", flip)
    blob = registry.store.blobs.local(
        next(e.sha256 for e in registry.manifest("support").files if e.path == "tokenizer.json")
    )
    assert blob is not None
    if not blob.samefile(folder / "tokenizer.json"):
        pytest.skip("no hard links here")
    (fault,) = registry.doctor(mend=True).faults
    assert "is a hard link to the same damaged file, and no copy" in fault.said
    assert registry.doctor([model], mend=True).faults == ()
