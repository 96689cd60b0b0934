"""Converted graphs under ``HOTBED_HOME``."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import hotbed
from hotbed.backends import ConvertTarget, FileFormat
from hotbed.conversion.cache import GraphCache
from hotbed.errors import CorruptFileError
from hotbed.loading import default_house
from hotbed.models import read_folder
from hotbed.testing import build_tiny


def encode(folder: Path) -> Any:
    """Load, embed one text, close."""
    with hotbed.load(folder) as model:
        return model.encode("the cat sleeps")


def conversions(calls: list[Any]) -> int:
    """How often a graph was built."""
    return sum(1 for name, *_ in calls if name == "convert")


def graphs() -> list[Path]:
    """The graphs' folders in the cache."""
    return [entry.path for entry in default_house().cache.entries()]


def test_the_second_load_converts_nothing(tiny: Path, calls: list[Any]) -> None:
    """A graph is built once, and found by the digests of what it was made from."""
    first = encode(tiny)
    hotbed.refresh()
    assert np.array_equal(encode(tiny), first)
    assert conversions(calls) == 1
    assert len(graphs()) == 1


def test_the_same_model_elsewhere_is_the_same_graph(
    tmp_path: Path, tiny: Path, calls: list[Any]
) -> None:
    """The key holds contents, not paths: a copy of the folder converts nothing."""
    encode(tiny)
    encode(build_tiny(tmp_path / "copy"))
    assert conversions(calls) == 1


@pytest.mark.parametrize("change", ["weights", "pooling", "modules", "config"])
def test_a_changed_source_gets_a_graph_of_its_own(
    tiny: Path, calls: list[Any], change: str
) -> None:
    """Whatever the graph depends on, changed, gives a new graph and other vectors."""
    before = encode(tiny)
    changes: dict[str, dict[str, Any]] = {
        "weights": {"seed": 1},
        "pooling": {"pooling": {"pooling_mode": "cls"}},
        "modules": {"heads": ()},
        "config": {"config": {"hidden_act": "relu"}},
    }
    build_tiny(tiny, **changes[change])
    assert not np.allclose(encode(tiny), before)
    assert conversions(calls) == 2
    assert len(graphs()) == 2


def test_a_prompt_is_no_part_of_the_graph(tiny: Path, calls: list[Any]) -> None:
    """Prompts, tokenizer and limits are read at load; changing them converts nothing."""
    encode(tiny)
    build_tiny(tiny, prompts={"query": "query : "}, max_seq_length=5)
    encode(tiny)
    assert conversions(calls) == 1


def test_the_key_depends_on_all_it_must(tiny: Path, tmp_path: Path) -> None:
    """Target, converter and sources each change the key."""
    cache, folder = GraphCache(home=tmp_path / "home"), read_folder(tiny)
    target = ConvertTarget(profile="cpu")
    key = cache.key(folder, target, "hotbed onnx_cpu builder 1")
    others = [
        cache.key(folder, ConvertTarget(profile="portable"), "hotbed onnx_cpu builder 1"),
        cache.key(
            folder, ConvertTarget(profile="cpu", dtype="float16"), "hotbed onnx_cpu builder 1"
        ),
        cache.key(folder, target, "hotbed onnx_cpu builder 2"),
    ]
    assert len({key, *others}) == 4
    assert cache.key(folder, target, "hotbed onnx_cpu builder 1") == key


def test_the_key_depends_on_files_of_a_format_that_a_backend_brings(
    tiny: Path, tmp_path: Path
) -> None:
    """Whatever is converted in the place of safetensors, with an ONNX file beside it or not."""
    kind = FileFormat(name="pickles", folder="", stem="weights", suffix=".bin")
    (tiny / "model.safetensors").rename(tiny / "weights.bin")
    (tiny / "onnx").mkdir()
    (tiny / "onnx" / "model.onnx").write_bytes(b"another")
    cache, target = GraphCache(home=tmp_path / "home"), ConvertTarget()
    before = cache.key(read_folder(tiny, formats=(kind,)), target, "me")
    (tiny / "weights.bin").write_bytes(b"changed")
    assert cache.key(read_folder(tiny, formats=(kind,)), target, "me") != before


def test_entries_tell_what_they_are(tiny: Path) -> None:
    """A listing names the model, the profile and the bytes on disk."""
    encode(tiny)
    (entry,) = default_house().cache.entries()
    assert (entry.model, entry.profile) == ("tiny", "cpu")
    assert entry.nbytes == sum(path.stat().st_size for path in entry.path.iterdir())
    assert [variant.file for variant in entry.variants] == ["model.onnx"]


def test_pruning_by_age_and_altogether(tiny: Path) -> None:
    """Graphs used lately stay, unless everything is to go; the next load makes them again."""
    encode(tiny)
    cache = default_house().cache
    assert cache.prune(older_than=3600.0) == ([], 0)
    removed, _ = cache.prune()
    assert [entry.model for entry in removed] == ["tiny"]
    assert graphs() == []
    assert encode(tiny).shape == (32,)


@pytest.mark.parametrize("content", [None, "", "{", "[]", json.dumps({"model": "m"})])
def test_a_graph_whose_manifest_is_broken(
    tiny: Path, caplog: pytest.LogCaptureFixture, content: str | None
) -> None:
    """A load names the way out, listings pass it over, and ``prune`` removes it as promised."""
    encode(tiny)
    manifest = graphs()[0] / "graph.json"
    manifest.unlink()
    if content is not None:
        manifest.write_text(content)
    with pytest.raises(CorruptFileError, match="prune --all"):
        encode(tiny)
    with caplog.at_level(logging.WARNING, "hotbed.conversion"):
        assert default_house().cache.entries() == []
    assert "passed over a graph" in caplog.text
    default_house().cache.prune()
    assert encode(tiny).shape == (32,)


def test_graphs_that_lie_under_the_home_are_found(
    tiny: Path, tmp_path: Path, calls: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where earlier versions put them; new ones go to the cache folder."""
    encode(tiny)
    monkeypatch.setenv("HOTBED_CACHE", str(tmp_path / "cache"))
    hotbed.refresh()
    encode(tiny)
    assert conversions(calls) == 1
    build_tiny(tiny, seed=1)
    encode(tiny)
    assert conversions(calls) == 2
    assert len(graphs()) == 2
    assert len(list((tmp_path / "cache" / "graphs").glob("*/*/model.onnx"))) == 1


def test_what_lies_where(monkeypatch: pytest.MonkeyPatch) -> None:
    """A home that was chosen holds all; else graphs lie in the user's cache folder."""
    home = default_house().settings.home
    assert default_house().cache.root == home / "graphs"
    monkeypatch.delenv("HOTBED_HOME")
    monkeypatch.setenv("XDG_CACHE_HOME", str(home / "cache"))
    monkeypatch.setenv("XDG_DATA_HOME", str(home / "data"))
    hotbed.refresh()
    assert default_house().cache.roots == (
        home / "cache" / "hotbed" / "graphs",
        home / "data" / "hotbed" / "graphs",
    )
