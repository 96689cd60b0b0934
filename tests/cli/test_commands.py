"""convert, info, cache, and errors without tracebacks."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest

import hotbed as library
from hotbed.testing import build_tiny
from tests.cli.conftest import Run


def test_convert_writes_a_whole_folder(
    hotbed: Run, tiny: Path, tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The new folder loads without the weights it came from, and gives the same vectors."""
    done = hotbed("convert", tiny, "--out", "converted", "--json")
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert set(report["files"]) == {"onnx/model.onnx"}
    assert not (tmp_path / "converted" / "model.safetensors").exists()
    monkeypatch.setenv("HOTBED_HOME", str(home))
    library.refresh()
    with library.load(tiny) as source, library.load(tmp_path / "converted") as converted:
        texts = ["red fish", "the cat sleeps", ""]
        np.testing.assert_allclose(source.encode(texts), converted.encode(texts), atol=1e-6)
        np.testing.assert_allclose(
            source.encode_query(texts), converted.encode_query(texts), atol=1e-6
        )


def test_convert_refuses_an_existing_folder(hotbed: Run, tiny: Path, tmp_path: Path) -> None:
    """Without --force it stays; with --force only a model folder is replaced."""
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "thesis.txt").write_text("words", encoding="utf-8")
    assert hotbed("convert", tiny, "--out", precious).returncode == 2
    done = hotbed("convert", tiny, "--out", precious, "--force")
    assert (done.returncode, "not a model folder" in done.stderr) == (2, True)
    assert [path.name for path in precious.iterdir()] == ["thesis.txt"]
    assert hotbed("convert", tiny, "--out", "new").returncode == 0
    assert hotbed("convert", tiny, "--out", "new", "--force", "--profile", "cpu").returncode == 0
    assert (tmp_path / "new" / "onnx" / "model_cpu.onnx").is_file()
    assert not (tmp_path / "new" / "onnx" / "model.onnx").exists()
    assert not list(tmp_path.glob("new.*"))


def test_info_tells_modules_prompts_files_and_digests(hotbed: Run, tiny: Path) -> None:
    """The JSON holds what the folder says, and a sha256 for each file."""
    report = json.loads(hotbed("info", tiny, "--json").stdout)
    assert report["modules"] == ["Transformer", "Pooling", "Normalize"]
    assert report["prompts"] == {"query": "query : ", "document": "document : "}
    assert (report["dimension"], report["max_seq_length"]) == (32, 16)
    assert [variant["file"] for variant in report["variants"]] == ["model.safetensors"]
    assert all(len(digest) == 64 for digest in report["files"].values())
    shown = hotbed("info", tiny).stdout
    assert report["digest"] in shown
    assert "'query : '" in shown


def test_cache_lists_what_a_load_made_and_prunes_it(hotbed: Run, tiny: Path) -> None:
    """A converted graph is listed with its size, and gone after prune --all."""
    assert hotbed("embed", "-m", tiny, "bread").returncode == 0
    listed = json.loads(hotbed("cache", "list", "--json").stdout)
    assert [graph["model"] for graph in listed["graphs"]] == ["tiny"]
    assert listed["graphs"][0]["bytes"] > 1000
    kept = json.loads(hotbed("cache", "prune", "--older-than", "1d", "--json").stdout)
    assert kept["removed"] == []
    pruned = json.loads(hotbed("cache", "prune", "--all", "--json").stdout)
    assert len(pruned["removed"]) == 1
    assert json.loads(hotbed("cache", "list", "--json").stdout)["graphs"] == []
    assert hotbed("cache", "prune").returncode == 2


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["info", "./nowhere"], 1, "nowhere does not exist"),
        (["embed", "-m", "./nowhere", "x"], 1, "nowhere does not exist"),
        (["embed", "-i", "in.csv"], 2, "in.csv is not a file"),
        (["embed", "--query", "--document", "x"], 2, "choose one"),
        (["info", "s3://bucket/model"], 1, "no source for s3://"),
        (["embed", "-m", "tiny", "--dtype", "float3", "x"], 2, "dtype='float3' is not known"),
        (["embed", "-m", "tiny", "--backend", "acme", "x"], 1, "backend='acme' was named"),
        (["embed", "-m", "tiny", "--truncate-dim", "999", "x"], 2, "have 32 dimensions"),
        (["embed", "-m", "tiny", "--prompt-name", "nope", "x"], 2, "not among the prompts"),
        (["convert", "tiny", "-o", "out", "--profile", "gpu"], 2, "onnx_cpu writes cpu, portable"),
    ],
)
def test_a_users_mistake_is_a_message_and_no_traceback(
    hotbed: Run, tiny: Path, arguments: list[str], code: int, said: str
) -> None:
    """Exit 2 for what was asked wrongly, 1 for what cannot be done; standard output stays empty."""
    done = hotbed(*arguments)
    assert done.returncode == code, done.stderr
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_a_settings_mistake_is_told_from_every_command(hotbed: Run) -> None:
    """The key and where it stands are named, with the keys that exist."""
    done = hotbed("backends", HOTBED_MEMORY="lots")
    assert done.returncode == 2
    assert "'memory' in the environment" in done.stderr
    assert "priority" in done.stderr


def test_a_warning_is_an_error_where_the_user_wants_that(hotbed: Run) -> None:
    """Commands of these tests run with ``-W error``; an unknown HOTBED_ variable is a warning."""
    done = hotbed("backends", HOTBED_PRIORTY="onnx_cpu")
    assert done.returncode == 1
    assert "HOTBED_PRIORTY is no setting of hotbed" in done.stderr
    assert "fault of hotbed" not in done.stderr


def test_no_torch_after_any_command(hotbed: Run, tiny: Path, tmp_path: Path) -> None:
    """No command imports torch, transformers or sentence_transformers, even where they could be.

    They are put on the path as packages that raise when imported.
    """
    for name in ("torch", "transformers", "sentence_transformers"):
        package = tmp_path / "traps" / name
        package.mkdir(parents=True)
        (package / "__init__.py").write_text(f"raise SystemError('{name} was imported')")
    path = os.pathsep.join([str(tmp_path / "traps"), os.environ.get("PYTHONPATH", "")])
    for arguments in (
        ["embed", "-m", tiny, "bread"],
        ["convert", tiny, "-o", "out"],
        ["info", tiny],
        ["backends"],
        ["backends", "--explain", tiny],
        ["cache", "list"],
        ["doctor"],
        ["quickstart", "-m", build_tiny(tmp_path / "long", max_seq_length=None)],
    ):
        done = hotbed(*arguments, PYTHONPATH=path)
        assert done.returncode == 0, (arguments, done.stderr)


def test_quickstart_searches_and_explains(hotbed: Run, tmp_path: Path) -> None:
    """It shows a search, the backend chosen and why, and the time; here on a tiny model."""
    model = build_tiny(tmp_path / "other", max_seq_length=None)
    done = hotbed("quickstart", "-m", model)
    assert done.returncode == 0, done.stderr
    for part in ("nearest texts", "chosen onnx_cpu", "CPUExecutionProvider", "total"):
        assert part in " ".join(done.stdout.split())
    report = json.loads(hotbed("quickstart", "-m", model, "--json").stdout)
    assert report["decision"]["chosen"] == "onnx_cpu"
    assert len(report["search"]) == 3
