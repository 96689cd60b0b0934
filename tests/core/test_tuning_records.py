"""The file of measurements: written whole, merged, checked when it is read."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from hotbed.backends.decision import Measurement
from hotbed.errors import SettingsError
from hotbed.measurements import Machine, Record, forget, merge, read_records, remember
from tests.isolation import child_environment

MACHINE = Machine(cpu="Acme 9000", features=("avx2",), cpus=2, system="Linux x86_64")


def record(*, machine: Machine = MACHINE, purpose: str = "bulk", **changes: Any) -> Record:
    """A record of an ordinary measurement, changed."""
    values: dict[str, Any] = {
        "shape": "bert 6×384",
        "backend": "acme",
        "dist": "acme-dist",
        "version": "1.0",
        "device": "cpu",
        "dtype": "float32",
        "token_budget": 512,
        "bulk": 80.0,
        "query": 0.004,
        "score": 80.0,
    }
    return Record(
        machine=machine,
        measurement=Measurement(**{**values, **changes}),
        purpose=purpose,
        lowest_cosine=1.0,
        texts=64,
        rounds=4,
        date="2026-11-24T10:00:00+00:00",
    )


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Where the records lie; its folder is not there yet."""
    return tmp_path / "config" / "tuned.json"


words = st.text(min_size=1, max_size=8)
positive = st.floats(min_value=1e-9, max_value=1e9)
records = st.builds(
    record,
    machine=st.builds(
        Machine,
        cpu=words,
        features=st.lists(words, max_size=2),
        cpus=st.integers(1, 512),
        system=words,
        gpus=st.lists(words, max_size=2),
    ),
    purpose=st.sampled_from(["bulk", "queries"]),
    shape=words,
    dtype=words,
    token_budget=st.integers(1, 10**6),
    bulk=positive,
    query=positive,
    score=positive,
)


@given(given_records=st.lists(records, max_size=4, unique_by=lambda one: one.key))
def test_what_is_written_is_what_is_read(
    given_records: list[Record], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Any records come back as they were, however many machines there are."""
    file = tmp_path_factory.mktemp("records") / "tuned.json"
    for one in given_records:
        remember(file, [one])
    found = {one.key: one.measurement for one in read_records(file)}
    assert set(found) == {one.key for one in given_records}
    # A later record for another purpose changes the scores of earlier ones, and nothing else.
    for one in given_records:
        assert evolve(found[one.key], score=one.measurement.score) == one.measurement


def test_no_file_is_nothing(file: Path) -> None:
    """Without a file there are no records, and reading makes none."""
    assert read_records(file) == ()
    assert not file.parent.exists()


def test_a_later_record_of_the_same_takes_its_place(file: Path) -> None:
    """Same machine, shape, backend, version, device and dtype: the later counts."""
    remember(file, [record()])
    remember(file, [record(bulk=90.0, score=90.0)])
    assert [one.measurement.bulk for one in read_records(file)] == [90.0]


@pytest.mark.parametrize(
    "other",
    [
        record(machine=evolve(MACHINE, cpus=8)),
        record(machine=evolve(MACHINE, cpu="Acme 9001")),
        record(shape="bert 12×768"),
        record(backend="other"),
        record(dist="other-dist"),
        record(version="1.1"),
        record(device="cuda"),
        record(dtype="bfloat16"),
    ],
)
def test_a_record_of_something_else_stands_beside_it(file: Path, other: Record) -> None:
    """What differs in any part of the key is kept."""
    remember(file, [record()])
    remember(file, [other])
    assert read_records(file) == (record(), other)


def test_what_is_dropped_is_gone(file: Path) -> None:
    """A candidate that fails now loses the record of the day when it did not."""
    remember(file, [record(), record(backend="other")])
    remember(file, [], dropped=[record().key])
    assert read_records(file) == (record(backend="other"),)


def test_nothing_to_record_leaves_no_file(file: Path) -> None:
    """Where nothing changes, nothing is written."""
    remember(file, [], dropped=[record().key])
    assert not file.exists()
    remember(file, [record()])
    before = file.stat()
    remember(file, [record()])
    assert file.stat().st_ino == before.st_ino


def test_scores_for_another_purpose_are_taken_again() -> None:
    """Texts a second and queries a second are never ranked against one another."""
    fresh = record(backend="fresh", purpose="queries", query=0.002, score=500.0)
    elsewhere = record(shape="another")
    old, other, _ = merge([record(), elsewhere], [fresh])
    assert old.purpose == "queries"
    assert old.measurement.score == pytest.approx(250.0)
    assert other == elsewhere
    back, _ = merge([old], [record(backend="fresh")])
    assert back == record()


BROKEN: dict[str, Any] = {
    "empty": b"",
    "cut off": b'{"format": 1, "machines": [',
    "not text": b"\xff\xfe\x00",
    "a list": [],
    "no format": {"machines": []},
    "a later format": {"format": 2, "machines": []},
    "a later version": {"format": "hotbed.tuned", "version": 2, "machines": []},
    "another format": {"format": "hotbed.trust", "version": 1, "machines": []},
    "no machines": {"format": 1},
    "machines of the wrong kind": {"format": 1, "machines": "none"},
}


@pytest.mark.parametrize("content", BROKEN.values(), ids=BROKEN)
def test_a_file_of_something_else_is_named(file: Path, content: Any) -> None:
    """The error names the file and the way out, and --forget puts the file aside."""
    file.parent.mkdir()
    file.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
    before = file.read_bytes()
    with pytest.raises(SettingsError, match=r"tuned\.json does not hold .*hotbed tune --forget"):
        read_records(file)
    with pytest.raises(SettingsError):
        remember(file, [record()])
    with pytest.raises(SettingsError):
        forget(file, "bert 6×384")
    assert file.read_bytes() == before
    removed, aside = forget(file)
    assert (removed, file.exists()) == (0, False)
    assert aside is not None
    assert aside.read_bytes() == before


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("score", 0, "score is 0, not a positive number"),
        ("score", "80", "score is '80', not float"),
        ("score", float("nan"), "NaN is not a measurement"),
        ("bulk", float("inf"), "Infinity is not a measurement"),
        ("query", -1.0, "query is -1.0"),
        ("token_budget", 1.5, "token_budget is 1.5, not int"),
        ("token_budget", True, "token_budget is True"),
        ("dtype", None, "dtype is None"),
        ("rounds", "four", "rounds is 'four'"),
    ],
)
def test_each_value_is_checked(file: Path, name: str, value: Any, said: str) -> None:
    """A value of the wrong kind, or one that cannot rank, makes the file unusable."""
    remember(file, [record()])
    content = json.loads(file.read_text(encoding="utf-8"))
    content["machines"][0]["measurements"][0][name] = value
    file.write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(SettingsError, match=said):
        read_records(file)


@pytest.mark.parametrize("name", ["score", "shape", "date"])
def test_a_value_that_is_absent_is_named(file: Path, name: str) -> None:
    """A record without one of its values is not a record."""
    remember(file, [record()])
    content = json.loads(file.read_text(encoding="utf-8"))
    del content["machines"][0]["measurements"][0][name]
    file.write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(SettingsError, match=f"wrote: {name} is missing"):
        read_records(file)


def test_a_folder_in_its_place_is_named(file: Path) -> None:
    """A path that cannot be read as a file is a mistake in the settings."""
    file.mkdir(parents=True)
    with pytest.raises(SettingsError, match=r"tuned\.json"):
        read_records(file)


def test_forget_one_shape_or_all(file: Path) -> None:
    """One shape's records go, or all; without any left there is no file."""
    remember(file, [record(), record(dtype="bfloat16"), record(shape="another")])
    assert forget(file, "bert 6×384") == (2, None)
    assert read_records(file) == (record(shape="another"),)
    assert forget(file) == (1, None)
    assert not file.exists()
    assert forget(file) == (0, None)


WRITER = """
import sys
from pathlib import Path
from hotbed.measurements import remember
from tests.core.test_tuning_records import record
print("ready", flush=True)
sys.stdin.readline()
for number in range(20):
    remember(Path(sys.argv[1]), [record(backend=f"{sys.argv[2]}-{number}")])
"""


def test_processes_that_write_at_once_lose_nothing(file: Path) -> None:
    """Four processes that begin together, with twenty records each, leave eighty."""
    root = Path(__file__).parents[2]
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, str(file), f"writer{number}"],
            cwd=root,
            env=child_environment(PYTHONPATH=str(root)),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for number in range(4)
    ]
    for writer in writers:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "ready\n"
    for writer in writers:
        assert writer.stdin is not None
        writer.stdin.write("go\n")
        writer.stdin.flush()
    for writer in writers:
        writer.communicate(timeout=120)
    assert [writer.returncode for writer in writers] == [0] * 4
    names = {one.measurement.backend for one in read_records(file)}
    assert names == {f"writer{writer}-{number}" for writer in range(4) for number in range(20)}


@pytest.mark.parametrize("sample", ["tuned-format-1.json", "tuned-1.json"])
def test_files_of_earlier_versions_are_read_for_good(file: Path, sample: str) -> None:
    """Frozen samples; keys of a later version are passed over wherever they stand."""
    content = json.loads((Path(__file__).parents[1] / "data" / sample).read_text(encoding="utf-8"))
    group = content["machines"][0]
    content["later"] = group["later"] = group["machine"]["later"] = 1
    group["measurements"][0]["later"] = {"x": 1}
    file.parent.mkdir()
    file.write_text(json.dumps(content), encoding="utf-8")
    (found,) = read_records(file)
    assert (found.measurement.backend, found.measurement.bulk) == ("onnx_cpu", 80.0)
