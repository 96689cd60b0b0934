"""``hotbed quantize``: what it prints, and what it refuses before it works."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from hotbed.testing import build_tiny
from hotbed.testing.tiny import bert_config, bert_tensors
from tests.cli.conftest import Run
from tests.onnx.quantisable import drawn_texts

QUICK = ("--rounds", "1", "--trials", "2")


@pytest.fixture
def texts(tmp_path: Path) -> Path:
    """Ninety different texts, one a line."""
    path = tmp_path / "texts.txt"
    path.write_text("\n".join(drawn_texts(90, seed=1)) + "\n", encoding="utf-8")
    return path


def test_the_table_and_the_json_tell_the_same(
    hotbed: Run, tiny: Path, tmp_path: Path, texts: Path
) -> None:
    """Every recipe is tried, one is chosen, and the folder loads by its own record."""
    command = ("quantize", tiny, "--texts", texts, "--min-mean-cosine", "0.95", *QUICK)
    done = hotbed(*command, "--out", "table")
    assert done.returncode == 0, done.stderr
    assert "held-out texts: lowest cosine" in done.stdout
    assert "does not depend on others" in done.stdout
    # Where size counts, layers are measured however fast the recipes are.
    done = hotbed(*command, "--out", "small", "--json", "--smallest")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert {one["mix"]["recipe"] for one in found["trials"]} == {
        *("static_int8", "dynamic_int8", "weights_8bit", "weights_4bit", "float16")
    }
    assert found["folder"] == "small"
    assert found["chosen"]["held_out"]["mean"] >= 0.95
    assert found["bounds"]["min_mean_cosine"] == 0.95
    assert found["sensitivities"]
    info = json.loads(hotbed("info", "small", "--json").stdout)
    (made,) = info["made"]
    assert made["reports"][0]["overall"] == found["chosen"]["held_out"]
    assert list((tmp_path / "small" / "onnx").glob("model_*.onnx"))


def test_bounds_that_nothing_keeps(hotbed: Run, tiny: Path, tmp_path: Path, texts: Path) -> None:
    """The nearest are shown, the exit code is 1, and nothing is written."""
    before = set(tmp_path.iterdir())
    done = hotbed(
        *("quantize", tiny, "--texts", texts, "--min-cosine", "0.99999", "--max-size", "1kB"),
        *("--out", "none", *QUICK),
    )
    assert done.returncode == 1, done.stdout
    assert "keeps lowest cosine ≥ 0.99999, size ≤ 0.001 MB; the nearest:" in done.stderr
    assert "onnx_cpu float16" in done.stderr
    assert "onnx_cpu" in done.stdout  # the whole table
    assert set(tmp_path.iterdir()) - before <= {tmp_path / "home"}


@pytest.mark.parametrize(
    ("content", "name", "said"),
    [
        (b"", "texts.txt", "holds no text"),
        (b"\n\n\n", "texts.txt", "3 texts were given, 0 of them different and not empty"),
        (b"bread\n" * 200, "texts.txt", "1 of them different and not empty"),
        (b"\xff\xfe\x00\x01" * 50, "texts.txt", "line 1: it is not UTF-8"),
        (b'{"body": "bread"}\n' * 90, "texts.jsonl", "the field 'text' holds nothing"),
        (b"bread\n", "texts.csv", "the ending '.csv' is not .txt or .jsonl"),
    ],
    ids=["empty", "blank", "one text", "binary", "another field", "another kind"],
)
def test_texts_that_will_not_do(
    hotbed: Run, tiny: Path, tmp_path: Path, content: bytes, name: str, said: str
) -> None:
    """They are refused before anything is converted, with exit code 2."""
    path = tmp_path / name
    path.write_bytes(content)
    done = hotbed("quantize", tiny, "--texts", path, "--out", "out")
    assert (done.returncode, said in done.stderr) == (2, True), done.stderr
    assert not (tmp_path / "out").exists()
    assert not list((tmp_path / "home").glob("graphs/*"))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--max-size", "small"), "--max-size 'small': give a number and a unit"),
        (("--min-cosine", "2", "--min-speedup", "-1"), "min_cosine=2.0 is not between -1 and 1"),
        (("--recipe", "wishful"), "nothing here can quantise tiny by wishful"),
        (("--backend", "wishful"), "'wishful' is not installed in the group hotbed.backends"),
        (("--trials", "-1"), "should be greater than or equal to 0"),
    ],
)
def test_options_that_cannot_be(
    hotbed: Run, tiny: Path, tmp_path: Path, options: tuple[str, ...], said: str
) -> None:
    """Each is named, and nothing is written."""
    done = hotbed("quantize", tiny, "--out", "out", *options)
    assert done.returncode in (1, 2), done.stderr
    assert said in " ".join(done.stderr.split()), done.stderr
    assert not (tmp_path / "out").exists()


def test_an_existing_folder_stays(hotbed: Run, tiny: Path, tmp_path: Path) -> None:
    """Without --force it is refused at once; with it only a model folder is replaced."""
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / "thesis.txt").write_text("words", encoding="utf-8")
    for more in ((), ("--force",)):
        done = hotbed("quantize", tiny, "--out", "precious", *more)
        assert done.returncode == 2, done.stderr
    assert [path.name for path in (tmp_path / "precious").iterdir()] == ["thesis.txt"]


def test_a_quantised_folder_and_weights_that_are_none(hotbed: Run, tmp_path: Path) -> None:
    """Neither is a source: the first says what it holds, the second which tensor it is."""
    tensors = bert_tensors(bert_config())
    plain = build_tiny(tmp_path / "plain", tensors=tensors)
    assert hotbed("convert", plain, "--quantize", "int8", "--out", "int8").returncode == 0
    done = hotbed("quantize", "./int8", "--out", "again")
    assert done.returncode == 1
    assert "int8" in done.stderr
    name = "encoder.layer.1.output.dense.weight"
    bad = {**tensors, name: np.where(tensors[name] > 0.05, np.nan, tensors[name])}
    spoilt = build_tiny(tmp_path / "spoilt", tensors=bad)
    done = hotbed("quantize", spoilt, "--out", "again")
    assert done.returncode == 1
    assert f"the tensor '{name}' holds NaN or infinity" in " ".join(done.stderr.split()), (
        done.stderr
    )
    assert not (tmp_path / "again").exists()
