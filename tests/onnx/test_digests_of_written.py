"""What hotbed wrote is compared with what it wrote: graphs in the cache, and whole folders."""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import hotbed
from hotbed.conversion.record import read_digests, read_records
from hotbed.errors import CorruptFileError, HotbedWarning
from hotbed.loading import default_house
from hotbed.models.digests import sha256

DATA = Path(__file__).parents[1] / "data"


def encode(folder: Path) -> Any:
    """Load, embed one text, close."""
    with hotbed.load(folder) as model:
        return model.encode("the cat sleeps")


def flip(path: Path, at: float) -> None:
    """Flip one bit of a file."""
    content = bytearray(path.read_bytes())
    content[int(len(content) * at)] ^= 16
    path.write_bytes(content)


def cut(path: Path, at: float) -> None:
    """Cut a file off."""
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * at)])


def graph() -> Path:
    """The one graph in the cache."""
    (entry,) = default_house().cache.entries()
    return entry.path / "model.onnx"


@pytest.mark.parametrize("damage", [flip, cut])
@pytest.mark.parametrize("at", [0.1, 0.5, 0.9])
def test_a_damaged_graph_in_the_cache_is_made_again(
    tiny: Path, caplog: pytest.LogCaptureFixture, damage: Callable[[Path, float], None], at: float
) -> None:
    """The vectors stay what they were, and the log names the file and both digests."""
    before = encode(tiny)
    whole = sha256(graph())
    damage(graph(), at)
    found = sha256(graph())
    with caplog.at_level(logging.WARNING, "hotbed.conversion"):
        np.testing.assert_array_equal(encode(tiny), before)
    assert f"model.onnx: expected sha256 {whole}, found {found}" in caplog.text
    assert sha256(graph()) == whole


def test_a_second_load_reads_nothing_again(tiny: Path, calls: list[Any]) -> None:
    """Digests are remembered, as those of sources are."""
    encode(tiny)
    cache = default_house().cache.digests
    known = cache.files([graph()])
    encode(tiny)
    assert cache.files([graph()]) == known
    assert [name for name, *_ in calls].count("convert") == 1


def test_a_graph_of_an_earlier_version_still_loads(tiny: Path, calls: list[Any]) -> None:
    """Its record has another name, no format and no digests."""
    encode(tiny)
    folder = graph().parent
    value = json.loads((folder / "graph.json").read_text())
    sample = json.loads((DATA / "graph-0.json").read_text())
    old = {key: value[key] for key in sample}
    (folder / "graph.json").unlink()
    (folder / "hotbed.json").write_text(json.dumps(old))
    encode(tiny)
    assert [name for name, *_ in calls].count("convert") == 1


@pytest.mark.parametrize("sample", ["graph-0.json", "graph-1.json"])
def test_records_of_graphs_are_read_for_good(tmp_path: Path, sample: str) -> None:
    """Frozen samples; keys of later versions are passed over, a newer version is named."""
    from hotbed.conversion.cache import read_entry

    place = tmp_path / ("hotbed.json" if "-0" in sample else "graph.json")
    value = json.loads((DATA / sample).read_text())
    value["later"] = value["variants"][0]["later"] = 1
    place.write_text(json.dumps(value))
    entry = read_entry(tmp_path)
    assert (entry.model, entry.profile) == ("all-MiniLM-L6-v2", "cpu")
    assert [variant.file for variant in entry.variants] == ["model.onnx"]
    if "-1" in sample:
        assert entry.files == {"model.onnx": "ab" * 32}
        place.write_text(json.dumps({**value, "version": 2}))
        with pytest.raises(CorruptFileError, match="a newer hotbed wrote it: version 2"):
            read_entry(tmp_path)


@pytest.fixture
def written(tiny: Path, tmp_path: Path) -> Path:
    """A folder that hotbed wrote."""
    (tiny / "README.md").write_text("a card")
    hotbed.convert(tiny, tmp_path / "written")
    return tmp_path / "written"


def test_a_written_folder_holds_its_digests(written: Path) -> None:
    """Every file but the record itself."""
    files = {p.relative_to(written).as_posix() for p in written.rglob("*") if p.is_file()}
    digests = read_digests(written)
    assert set(digests) == files - {"hotbed.json"}
    assert digests["onnx/model.onnx"] == sha256(written / "onnx" / "model.onnx")
    encode(written)


@pytest.mark.parametrize("at", [0.1, 0.5, 0.9])
def test_a_damaged_file_of_weights_is_refused(written: Path, at: float) -> None:
    """The error names the file, both digests and the way out."""
    path = written / "onnx" / "model.onnx"
    whole = sha256(path)
    flip(path, at)
    with pytest.raises(CorruptFileError) as caught:
        encode(written)
    assert f"onnx/model.onnx: expected sha256 {whole}, found {sha256(path)}" in str(caught.value)
    (written / "hotbed.json").unlink()
    assert default_house().read(default_house().locate(str(written))).family == "bert"


def test_changed_tokens_are_refused(written: Path) -> None:
    """Another number for a word is another vector, and no typing error looks like it."""
    path = written / "tokenizer.json"
    path.write_text(path.read_text() + "\n")
    with pytest.raises(CorruptFileError, match=r"tokenizer\.json: expected sha256"):
        encode(written)


@pytest.mark.parametrize(
    "name", ["config.json", "tokenizer_config.json", "modules.json", "1_Pooling/config.json"]
)
def test_a_changed_setting_is_said(written: Path, name: str) -> None:
    """It decides vectors and may have been meant, so the model loads, with a warning."""
    path = written / name
    path.write_text(path.read_text() + "\n")
    with pytest.warns(HotbedWarning, match=f"{name} changed since hotbed wrote the folder"):
        encode(written)


def test_a_changed_card_is_nobodys_business(written: Path) -> None:
    """No vector depends on it, nor on files that were added."""
    (written / "README.md").write_text("a better card")
    (written / "notes.txt").write_text("added")
    assert encode(written).shape == (32,)


def test_a_moved_folder_loads(written: Path, tmp_path: Path) -> None:
    """Digests are of contents."""
    shutil.move(written, tmp_path / "elsewhere")
    assert encode(tmp_path / "elsewhere").shape == (32,)


@pytest.mark.parametrize("sample", ["folder-1.json", "folder-1-digests.json"])
def test_records_of_folders_are_read_for_good(written: Path, sample: str) -> None:
    """Frozen samples, without digests as well; later keys are passed over, and kept."""
    from hotbed.conversion.record import add_record

    value = json.loads((DATA / sample).read_text())
    value["later"] = value["made"][0]["later"] = value["made"][0]["reports"][0]["later"] = 1
    path = written / "hotbed.json"
    path.write_text(json.dumps(value))
    (made,) = read_records(written)
    assert (made.action, made.model) == ("convert", "tiny")
    assert bool(read_digests(written)) == ("digests" in sample)
    add_record(written, made)
    assert json.loads(path.read_text())["made"][0]["later"] == 1
    path.write_text(json.dumps({**value, "version": 2}))
    with pytest.raises(CorruptFileError, match="a newer hotbed wrote it: version 2"):
        encode(written)


@pytest.mark.parametrize("files", ["x", 3, ["a"], {"../../x": "0"}, {"onnx/model.onnx": 3}])
def test_a_record_by_a_stranger(written: Path, files: Any) -> None:
    """Whatever stands in it is an error of ours, and no path of it is followed outside."""
    path = written / "hotbed.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "files": files}))
    if isinstance(files, dict) and "../../x" in files:
        assert encode(written).shape == (32,)
        return
    with pytest.raises(CorruptFileError):
        encode(written)
