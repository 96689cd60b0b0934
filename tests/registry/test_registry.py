"""Versions: registered once, found by number, range and alias, never changed."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

import hotbed
from hotbed.errors import (
    HotbedWarning,
    ModelError,
    NotRegisteredError,
    RegistryError,
    SourceError,
    UsageError,
)
from hotbed.models.digests import sha256
from hotbed.registry import Registry
from hotbed.registry.manifest import Manifest
from hotbed.testing import build_tiny


def test_a_version_is_what_was_registered(registry: Registry, model: Path) -> None:
    """Its manifest lists every file with its sha256, and names itself by its bytes."""
    made = registry.register("support", model, metrics={"ndcg@10": 0.42}, tags={"team": "search"})
    assert (str(made), made.created_by) == ("support@0.0.1", "ada")
    assert (made.metrics, made.tags) == ({"ndcg@10": 0.42}, {"team": "search"})
    manifest = registry.manifest("support@0.0.1")
    files = {
        path.relative_to(model).as_posix(): path for path in model.rglob("*") if path.is_file()
    }
    assert {entry.path: entry.sha256 for entry in manifest.files} == {
        name: sha256(path) for name, path in files.items()
    }
    assert Manifest.decode(manifest.encode()) == manifest
    assert hashlib.sha256(manifest.encode()).hexdigest() == made.manifest
    assert made == registry.get("support@0.0.1")
    assert manifest.subjects()[0].keys() == {"name", "digest"}
    assert (manifest.dimension, manifest.formats) == (32, ("safetensors",))


def test_identical_files_are_stored_once(registry: Registry, model: Path) -> None:
    """A second version of the same bytes costs no file."""
    registry.register("support", model)
    before = list(registry.store.blobs)
    registry.register("support", model)
    assert [blob.digest for blob in registry.store.blobs] == [blob.digest for blob in before]


def test_numbers_ranges_and_latest(registry: Registry, model: Path) -> None:
    """``latest`` is the highest stable version, not the last one registered."""
    for version in ("1.0.0", "1.2.0", "2.0.0-rc.1", "1.10.0", "1.2.1"):
        registry.register("support", model, version=version)
    found = {
        wanted: registry.resolve(f"support@{wanted}").version
        for wanted in ("latest", "^1.2", "~1.2.0", "1.2", "2.0.0-rc.1")
    }
    assert found == {
        "latest": "1.10.0",
        "^1.2": "1.10.0",
        "~1.2.0": "1.2.1",
        "1.2": "1.2.1",
        "2.0.0-rc.1": "2.0.0-rc.1",
    }
    assert registry.resolve("support").version == "1.10.0"
    assert registry.register("support", model, bump="prerelease").version == "2.0.0-rc.2"
    with pytest.raises(NotRegisteredError, match="its highest versions are 2.0.0-rc.2, 2.0.0-rc.1"):
        registry.resolve("support@^3")
    with pytest.raises(NotRegisteredError, match="'sales' in this registry; there is support"):
        registry.resolve("sales")


def test_a_version_is_registered_once(registry: Registry, model: Path) -> None:
    """Even a deleted number is not used again."""
    registry.register("support", model, version="1.0.0")
    with pytest.raises(RegistryError, match="support@1.0.0 is registered already"):
        registry.register("support", model, version="1.0.0")
    registry.delete("support@1.0.0", why="wrong data")
    with pytest.raises(RegistryError, match="and was deleted on"):
        registry.register("support", model, version="1.0.0")
    assert registry.register("support", model).version == "1.0.1"
    with pytest.raises(SourceError, match="was deleted on"):
        registry.resolve("support@1.0.0")


def test_what_is_no_model_is_refused(registry: Registry, tmp_path: Path, model: Path) -> None:
    """Nothing is left of it; nor of a version or parent that cannot be."""
    (tmp_path / "empty").mkdir()
    with pytest.raises(ModelError):
        registry.register("support", tmp_path / "empty")
    with pytest.raises(UsageError, match="not a semantic version"):
        registry.register("support", model, version="v1")
    with pytest.raises(UsageError, match="bump='huge'"):
        registry.register("support", model, bump="huge")
    with pytest.raises(NotRegisteredError):
        registry.register("support", model, parent="support@1.0.0")
    assert registry.search() == []
    assert registry.audit().events == 0


def test_lineage_comes_from_the_records(
    isolated: None, registry: Registry, model: Path, tmp_path: Path
) -> None:
    """What was converted from what, and how near it came, stands in the manifest."""
    first = registry.register("support", model)
    hotbed.convert(model, tmp_path / "onnx")
    second = registry.register("support", tmp_path / "onnx", parent=str(first))
    manifest = registry.manifest(str(second))
    assert (manifest.parent, manifest.base_model) == ("support@0.0.1", "model")
    (made,) = manifest.made
    assert made["action"] == "convert"
    assert made["reports"][0]["overall"]["lowest"] > 0.9999
    with pytest.raises(RegistryError, match="0.0.2 was made from it"):
        registry.delete("support@0.0.1")
    compared = registry.compare(str(first), str(second))
    assert compared.facts["formats"] == (("safetensors",), ("onnx",))
    assert "onnx/model.onnx" in compared.added
    assert "model.safetensors" in compared.removed
    assert "tokenizer.json" in compared.same


def test_a_registered_version_loads(isolated: None, registry: Registry, model: Path) -> None:
    """By number and by alias, through the same selection, and the vectors are the folder's."""
    registry.register("support", model)
    registry.promote("support@0.0.1", "production")
    place = registry.store.place
    with hotbed.load(model) as plain:
        wanted = plain.encode(["bread", "water"])
    for reference in (
        "registry:support@production",
        "registry://support@^0.0.1",
        "registry:support",
    ):
        with hotbed.load(reference, registry=place) as loaded:
            np.testing.assert_array_equal(loaded.encode(["bread", "water"]), wanted)
            assert loaded.folder.name == "support@0.0.1"
            assert "support@0.0.1" in loaded.why()


def test_a_deprecated_version_says_so(isolated: None, registry: Registry, model: Path) -> None:
    """Loading it warns with the message; taking it back ends that."""
    registry.register("support", model)
    registry.deprecate("support@0.0.1", "wrong tokenizer; use 0.0.2")
    with pytest.warns(HotbedWarning, match=r"support@0.0.1 is deprecated: wrong tokenizer"):
        hotbed.load("registry:support", registry=registry.store.place).close()
    registry.deprecate("support@0.0.1", None)
    hotbed.load("registry:support", registry=registry.store.place).close()


def test_notes_change_and_versions_do_not(registry: Registry, model: Path) -> None:
    """Tags, metrics and texts are changed by events; the manifest stays."""
    made = registry.register("support", model, tags={"a": "1", "b": "2"})
    changed = registry.annotate(
        "support@0.0.1", description="for chats", tags={"a": None, "c": "3"}, metrics={"mrr": 0.5}
    )
    assert changed.manifest == made.manifest
    assert (changed.description, changed.tags) == ("for chats", {"b": "2", "c": "3"})
    with pytest.raises(UsageError, match="not a finite number"):
        registry.annotate("support@0.0.1", metrics={"mrr": float("nan")})
    with pytest.raises(UsageError, match="nothing to say"):
        registry.annotate("support@0.0.1")
    registry.audit()


def test_search(registry: Registry, model: Path, tmp_path: Path) -> None:
    """By word, tag, metric, domain and format; sorted and paged."""
    for number, score in enumerate((0.3, 0.5, 0.4)):
        registry.register(
            "support", model, metrics={"ndcg": score}, tags={"round": str(number)}, domain="chat"
        )
    registry.register("sales", model, description="100% of deals", metrics={"ndcg": 0.9})

    def names(**what: object) -> list[str]:
        return [str(one) for one in registry.search(**what)]

    assert names(least={"ndcg": 0.4}, most={"ndcg": 0.6}) == ["support@0.0.2", "support@0.0.3"]
    assert names(tags={"round": "1"}) == ["support@0.0.2"]
    assert names(tags={"round": None}, sort="metric:ndcg", descending=True, limit=2) == [
        "support@0.0.2",
        "support@0.0.3",
    ]
    assert names(text="DEALS 100%") == ["sales@0.0.1"]
    assert names(text="10_%") == []
    assert names(domain="chat", offset=2) == ["support@0.0.3"]
    assert names(format="safetensors", name="sales") == ["sales@0.0.1"]
    assert names(format="onnx") == []
    with pytest.raises(UsageError, match="sort='colour'"):
        registry.search(sort="colour")


def test_a_place_without_a_registry(isolated: None, tmp_path: Path) -> None:
    """Loading makes none; the message says what does."""
    with pytest.raises(RegistryError, match="holds no registry; `hotbed registry init`"):
        hotbed.load("registry:support", registry=tmp_path / "nothing")
    assert not (tmp_path / "nothing").exists()


def test_a_manifest_is_canonical(registry: Registry, model: Path) -> None:
    """Its bytes are JSON with sorted keys and no spaces: others can make the same."""
    registry.register("support", model)
    content = registry.manifest("support").encode()
    again = json.dumps(
        json.loads(content), sort_keys=True, separators=(",", ":"), ensure_ascii=False
    )
    assert content == again.encode()


def test_hidden_folders_of_tools_are_left_out(registry: Registry, tmp_path: Path) -> None:
    """A clone's .git and a hub download's .cache are no part of a model."""
    model = build_tiny(tmp_path / "clone")
    (model / ".git").mkdir()
    (model / ".git" / "HEAD").write_text("ref", encoding="utf-8")
    registry.register("support", model)
    assert not [e for e in registry.manifest("support").files if e.path.startswith(".git")]
