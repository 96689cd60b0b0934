"""Speeds that were measured: taken again under the same circumstances, and only there."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hotbed.quantisation import Mix
from hotbed.quantisation.speeds import Speeds, circumstances
from hotbed.tuning.timing import Spread

MIX = Mix.of("b", "int8", {"one": "int8", "two": "float32"})
SPEED = Spread(median=2.0, least=1.5, most=2.5)


def test_what_was_measured_is_taken_again(tmp_path: Path) -> None:
    """By another process too, for the same mix under the same circumstances only."""
    path = tmp_path / "home" / "speeds.json"
    Speeds(path=path, key="here").remember(MIX, SPEED)
    assert Speeds(path=path, key="here").recall(MIX) == SPEED
    assert Speeds(path=path, key="there").recall(MIX) is None
    assert Speeds(path=path, key="here").recall(Mix(backend="b", recipe="int8")) is None


def test_measuring_again(tmp_path: Path) -> None:
    """What was measured before is not taken, and what is measured now takes its place."""
    path = tmp_path / "speeds.json"
    Speeds(path=path, key="here").remember(MIX, SPEED)
    again = Speeds(path=path, key="here", again=True)
    assert again.recall(MIX) is None
    other = Spread(median=3.0, least=3.0, most=3.0)
    again.remember(MIX, other)
    assert again.recall(MIX) == other
    assert Speeds(path=path, key="here").recall(MIX) == other


@pytest.mark.parametrize(
    "content", ["", "[]", "{", '{"version": 0, "speeds": {}}', '{"version": 1}']
)
def test_a_file_that_cannot_be_read(tmp_path: Path, content: str) -> None:
    """It only saved work: all is measured, and written anew."""
    path = tmp_path / "speeds.json"
    path.write_text(content, encoding="utf-8")
    speeds = Speeds(path=path, key="here")
    assert speeds.recall(MIX) is None
    speeds.remember(MIX, SPEED)
    assert Speeds(path=path, key="here").recall(MIX) == SPEED


def test_circumstances() -> None:
    """Another file, other texts or other rounds are others."""
    found = {
        circumstances("a", [], ["x"], 3),
        circumstances("b", [], ["x"], 3),
        circumstances("a", [], ["y"], 3),
        circumstances("a", [], ["x"], 5),
    }
    assert len(found) == 4
    assert circumstances("a", [], ["x"], 3) in found


def test_a_newer_file_is_left_alone(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """It is not read, not written over, and the log says whose it is."""
    path = tmp_path / "speeds.json"
    path.write_text('{"format": "hotbed.speeds", "version": 2}', encoding="utf-8")
    speeds = Speeds(path=path, key="here")
    assert speeds.recall(MIX) is None
    speeds.remember(MIX, SPEED)
    assert speeds.recall(MIX) == SPEED
    assert path.read_text(encoding="utf-8") == '{"format": "hotbed.speeds", "version": 2}'
    assert "a newer hotbed's: version 2" in caplog.text


@pytest.mark.parametrize("sample", ["speeds-0.json", "speeds-1.json"])
def test_files_of_earlier_versions_are_read_for_good(tmp_path: Path, sample: str) -> None:
    """Frozen samples; one has no name of its format."""
    content = json.loads((Path(__file__).parents[1] / "data" / sample).read_text(encoding="utf-8"))
    (entry,) = content["speeds"]["here"].values()
    content["later"] = entry["later"] = 1
    path = tmp_path / "speeds.json"
    path.write_text(json.dumps(content), encoding="utf-8")
    assert Speeds(path=path, key="here").recall(MIX) == SPEED
