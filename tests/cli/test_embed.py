"""``hotbed embed``: what goes in, what comes out, and what is refused."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import hotbed as library
from tests.cli.conftest import Run
from tests.onnx.test_nonfinite import SPOILT, folder_with


@pytest.fixture(autouse=True)
def own_home(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The library in this process uses the same home as the command."""
    monkeypatch.setenv("HOTBED_HOME", str(home))
    library.refresh()


def test_arguments_come_out_as_json_lines(hotbed: Run, tiny: Path) -> None:
    """Each text gives a line with the text and its vector, equal to the library's."""
    done = hotbed("embed", "-m", tiny, "red fish", "bread")
    assert done.returncode == 0, done.stderr
    records = [json.loads(line) for line in done.stdout.splitlines()]
    assert [record["text"] for record in records] == ["red fish", "bread"]
    with library.load(tiny) as model:
        expected = model.encode(["red fish", "bread"])
    np.testing.assert_allclose([r["embedding"] for r in records], expected, atol=1e-6)


def test_lines_from_standard_input(hotbed: Run, tiny: Path) -> None:
    """Lines that are piped in are texts; an empty line is an empty text."""
    done = hotbed("embed", "-m", tiny, stdin="red\n\nfish\n")
    assert [json.loads(line)["text"] for line in done.stdout.splitlines()] == ["red", "", "fish"]


def test_a_text_file_to_npy(hotbed: Run, tiny: Path, tmp_path: Path) -> None:
    """A .txt file gives an .npy array with a row for each line, in order, beyond one window."""
    words = ["cat", "dog", "bread", "red fish", "the large tree"] * 300
    (tmp_path / "in.txt").write_text("\n".join(words) + "\n", encoding="utf-8")
    done = hotbed("embed", "-m", tiny, "-i", "in.txt", "-o", "out.npy")
    assert done.returncode == 0, done.stderr
    vectors = np.load(tmp_path / "out.npy", allow_pickle=False)
    assert vectors.shape == (1500, 32)
    assert vectors.dtype == np.float32
    with library.load(tiny) as model:
        np.testing.assert_allclose(vectors, model.encode(words), atol=1e-6)


def test_a_jsonl_field_keeps_the_other_fields(hotbed: Run, tiny: Path, tmp_path: Path) -> None:
    """The named field is embedded, and the record comes back with its vector."""
    rows = [{"id": 7, "body": "red fish"}, {"id": 8, "body": "bread"}]
    (tmp_path / "in.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    done = hotbed("embed", "-m", tiny, "-i", "in.jsonl", "--field", "body", "-o", "out.jsonl")
    assert done.returncode == 0, done.stderr
    lines = (tmp_path / "out.jsonl").read_text(encoding="utf-8").splitlines()
    records = [json.loads(line) for line in lines]
    assert [(record["id"], record["body"]) for record in records] == [(7, "red fish"), (8, "bread")]
    assert {len(record["embedding"]) for record in records} == {32}


def test_prompts_are_chosen_by_option(hotbed: Run, tiny: Path) -> None:
    """--query and --prompt give the vectors of encode_query and of the prompt itself."""
    by_role = hotbed("embed", "-m", tiny, "--query", "red fish").stdout
    by_text = hotbed("embed", "-m", tiny, "--prompt", "query : ", "red fish").stdout
    plain = hotbed("embed", "-m", tiny, "red fish").stdout
    assert by_role == by_text != plain


def test_an_existing_output_is_kept_without_force(hotbed: Run, tiny: Path, tmp_path: Path) -> None:
    """The file stays as it was, exit code 2; --force replaces it."""
    target = tmp_path / "out.npy"
    target.write_bytes(b"precious")
    done = hotbed("embed", "-m", tiny, "bread", "-o", target)
    assert (done.returncode, target.read_bytes()) == (2, b"precious")
    assert "--force" in done.stderr
    assert hotbed("embed", "-m", tiny, "bread", "-o", target, "--force").returncode == 0
    assert np.load(target).shape == (1, 32)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('{"text": 5}', "line 2: the field 'text' holds a int"),
        ('{"other": "x"}', "line 2: the field 'text' holds nothing"),
        ('{"text": "cut', "line 2: not JSON"),
        ("[1]", "line 2: a list, not an object"),
    ],
)
def test_a_broken_line_is_named_and_nothing_is_left(
    hotbed: Run, tiny: Path, tmp_path: Path, line: str, said: str
) -> None:
    """The message names file and line; no output file, no temporary file stays."""
    (tmp_path / "in.jsonl").write_text(f'{{"text": "red"}}\n{line}\n', encoding="utf-8")
    done = hotbed("embed", "-m", tiny, "-i", "in.jsonl", "-o", "out.npy")
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert sorted(path.name for path in tmp_path.iterdir() if path.name != "home") == [
        "in.jsonl",
        "tiny",
    ]


@pytest.mark.skipif(os.name == "nt", reason="sh and head are POSIX")
def test_a_reader_that_goes_away_is_no_error_message(tiny: Path, home: Path) -> None:
    """`hotbed embed … | head -1` ends without a traceback."""
    command = f"{sys.executable} -m hotbed embed -m {tiny} -i - | head -n 1"
    done = subprocess.run(
        ["sh", "-c", command],
        input="red fish\n" * 3000,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "HOTBED_HOME": str(home)},
    )
    assert len(done.stdout.splitlines()) == 1
    assert done.stderr == ""


def test_integers_from_a_stream_need_ranges(hotbed: Run, tiny: Path, tmp_path: Path) -> None:
    """--precision int8 is refused without --ranges, and serves with them."""
    done = hotbed("embed", "-m", tiny, "--precision", "int8", "bread", "-o", "out.npy")
    assert done.returncode == 2
    assert "ranges" in done.stderr
    np.save(tmp_path / "ranges.npy", np.array([[-1.0] * 32, [1.0] * 32], dtype=np.float32))
    done = hotbed(
        "embed", "-m", tiny, "--precision", "int8", "--ranges", "ranges.npy", "bread", "-o", "o.npy"
    )
    assert done.returncode == 0, done.stderr
    assert np.load(tmp_path / "o.npy").dtype == np.int8


def test_vectors_that_are_not_finite(hotbed: Run, tmp_path: Path) -> None:
    """--on-nonfinite reaches the model: an error by default, all vectors with allow."""
    folder = folder_with(tmp_path / "spoilt", np.nan)
    command = ("embed", "-m", folder, "a cat", SPOILT)
    refused = hotbed(*command, "-o", "out.npy")
    assert refused.returncode != 0
    assert "NaN" in refused.stderr
    assert not (tmp_path / "out.npy").exists()
    done = hotbed(*command, "-o", "out.npy", "--on-nonfinite", "allow")
    assert done.returncode == 0, done.stderr
    vectors = np.load(tmp_path / "out.npy", allow_pickle=False)
    assert np.isfinite(vectors).all(axis=1).tolist() == [True, False]
    wrong = hotbed(*command, "--on-nonfinite", "hide")
    assert wrong.returncode != 0
    assert "say error, warn, allow" in wrong.stderr
