"""``hotbed tune`` from the outside: what it prints, records and leaves alone."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from hotbed.backends.catalog import BACKENDS
from hotbed.testing import TEXTS
from tests.cli.conftest import Run
from tests.distributions import install

# The same arithmetic as hotbed's reference, from a distribution of somebody else's.
THIRD = """
from hotbed import reference
from hotbed.backends import Capability, Loaded, Manifest, hookimpl

HOTBED = Manifest(name="third", hook_api=1, capabilities=[
    Capability(action="embed", formats="safetensors", dtypes="float32")
])

@hookimpl
def hotbed_load(artifact, options):
    return Loaded(
        handle=artifact.folder, device="cpu", provider="numpy", dtype="float32",
        outputs=("token_embeddings",), dimension=32,
    )

@hookimpl
def hotbed_embed(loaded, batch):
    return {"token_embeddings": reference.token_embeddings(loaded.handle, batch)}
"""


@pytest.fixture
def texts(tmp_path: Path) -> Path:
    """A few texts, so that a pass takes a moment."""
    path = tmp_path / "texts.txt"
    path.write_text("\n".join(text for text in TEXTS if text), encoding="utf-8")
    return path


@pytest.fixture
def tuned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where this test's measurements are kept."""
    path = tmp_path / "config" / "tuned.json"
    monkeypatch.setenv("HOTBED_TUNED", str(path))
    return path


@pytest.fixture
def third(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A third-party backend, installed."""
    site = tmp_path / "site"
    install(site, "third-dist", {BACKENDS: {"third": "third_engine"}}, {"third_engine": THIRD})
    monkeypatch.setenv("PYTHONPATH", str(site))


def test_measure_show_use_and_forget(hotbed: Run, tiny: Path, texts: Path, tuned: Path) -> None:
    """The table is shown, the record is used and listed, and --forget removes it."""
    done = hotbed("tune", tiny, "--texts", texts, "--rounds", "1", "--budgets", "64")
    assert done.returncode == 0, done.stderr
    assert "measuring 1 candidate in turn" in done.stderr
    assert "onnx_cpu  float32  cpu" in done.stdout
    assert (
        "onnx_cpu int8, uint8, q8, w8, q4 on cpu: dtype: no file it can run is stored so"
        in done.stdout
    )
    assert f"hotbed.load('{tiny}'): onnx_cpu float32 on cpu, as before" in done.stdout
    assert f"recorded in {tuned}" in done.stdout
    explained = hotbed("backends", "--explain", tiny)
    assert "measured here: " in explained.stdout
    listed = json.loads(hotbed("tune", "--json").stdout)
    assert [one["state"] for one in listed["records"]] == ["counts"]
    assert "counts" in hotbed("tune").stdout
    forgotten = hotbed("tune", tiny, "--forget")
    assert "removed 1 measurement of models bert 2×32" in forgotten.stdout
    assert not tuned.exists()
    assert "measured here" not in hotbed("backends", "--explain", tiny).stdout
    assert f"nothing is recorded in {tuned}" in hotbed("tune").stdout


def test_json_holds_everything(hotbed: Run, tiny: Path, texts: Path, tuned: Path) -> None:
    """Figures with their ranges, refusals, choices, and where it was recorded."""
    done = hotbed("tune", tiny, "--texts", texts, "--rounds", "2", "--for", "queries", "--json")
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert (report["for"], report["rounds"], report["texts"]) == ("queries", 2, 7)
    assert report["today"] == report["reference"] == ["onnx_cpu", "hotbed", "cpu", "float32"]
    (one,) = report["candidates"]
    speed = one["texts_per_second"]
    assert 0 < speed["least"] <= speed["median"] <= speed["most"]
    assert one["score"] == pytest.approx(1 / one["query_seconds"]["median"])
    assert one["lowest_cosine"] > 0.99999
    mine = {row["dtype"] for row in report["refused"] if row["backend"] == "onnx_cpu"}
    assert mine == {"int8", "uint8", "q8", "w8", "q4"}
    assert [choice["dtype"] for choice in report["choices"]] == [None, "float32"]
    assert report["recorded_in"] == str(tuned)
    machine = json.loads(tuned.read_text(encoding="utf-8"))["machines"][0]["machine"]
    assert machine == report["machine"]


def test_dry_run_records_nothing(hotbed: Run, tiny: Path, texts: Path, tuned: Path) -> None:
    """The table is shown, and no file is written."""
    done = hotbed("tune", tiny, "--texts", texts, "--rounds", "1", "--dry-run")
    assert done.returncode == 0, done.stderr
    assert "nothing was recorded: --dry-run" in done.stdout
    assert not tuned.parent.exists()


def rescored(tuned: Path, scores: dict[str, float]) -> None:
    """Set what was measured, so that the test does not hang on this machine's speed."""
    content: dict[str, Any] = json.loads(tuned.read_text(encoding="utf-8"))
    for one in content["machines"][0]["measurements"]:
        one["score"] = scores[one["backend"]]
    tuned.write_text(json.dumps(content), encoding="utf-8")


@pytest.mark.usefixtures("third")
def test_a_third_party_wins_by_measurement_only(
    hotbed: Run, tiny: Path, texts: Path, tuned: Path
) -> None:
    """Installed, it changes nothing; measured faster, it is used; forgotten, it is not."""

    def chosen() -> Any:
        return json.loads(hotbed("backends", "--explain", tiny, "--json").stdout)["chosen"]

    assert chosen() == "onnx_cpu"
    done = hotbed("tune", tiny, "--texts", texts, "--rounds", "1", "--json")
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    scores = {one["backend"]: one["score"] for one in report["candidates"]}
    assert set(scores) == {"onnx_cpu", "third"}
    # onnx_cpu is first-party, so that it stays among equals.
    expected = "third" if scores["third"] > scores["onnx_cpu"] else "onnx_cpu"
    assert report["choices"][0]["after"][0] == chosen() == expected
    rescored(tuned, {"onnx_cpu": 1.0, "third": 2.0})
    assert chosen() == "third"
    rescored(tuned, {"onnx_cpu": 1.0, "third": 1.0})
    assert chosen() == "onnx_cpu"
    rescored(tuned, {"onnx_cpu": 1.0, "third": 2.0})
    assert hotbed("tune", "--forget").stdout == "removed 2 measurements\n"
    assert chosen() == "onnx_cpu"


@pytest.mark.usefixtures("third")
def test_a_backend_that_went_away_does_not_count(
    hotbed: Run, tiny: Path, texts: Path, tuned: Path
) -> None:
    """Its record stays and is told as not counted."""
    assert hotbed("tune", tiny, "--texts", texts, "--rounds", "1").returncode == 0
    rescored(tuned, {"onnx_cpu": 1.0, "third": 2.0})
    listed = json.loads(hotbed("tune", "--json", PYTHONPATH="").stdout)
    states = {one["measurement"]["backend"]: one["state"] for one in listed["records"]}
    assert states["onnx_cpu"] == "counts"
    assert states["third"] == "does not count: the backend is not installed"


def start(tiny: Path, texts: Path, folder: Path, home: Path) -> subprocess.Popen[str]:
    """Begin a run that would take minutes, and wait until it measures."""
    child = subprocess.Popen(
        [sys.executable, "-m", "hotbed", "tune", tiny, "--texts", texts, "--rounds", "100000"],
        cwd=folder,
        env={**os.environ, "HOTBED_HOME": str(home)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # A background job of a shell is started with SIGINT ignored, and children inherit that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    assert child.stderr is not None
    for line in child.stderr:  # a busy machine is told of first
        if "measuring" in line:
            return child
    raise AssertionError(f"it never began: exit code {child.wait()}")


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGINT for one process")
@pytest.mark.parametrize(("number", "code"), [("SIGINT", 130), ("SIGKILL", -9)])
def test_stopped_in_the_middle_nothing_is_recorded(
    tiny: Path, texts: Path, tmp_path: Path, home: Path, tuned: Path, number: str, code: int
) -> None:
    """Ctrl-C ends it without a traceback; a kill leaves no file either."""
    with start(tiny, texts, tmp_path, home) as child:
        child.send_signal(getattr(signal, number))
        try:
            out, errors = child.communicate(timeout=60)
        finally:
            child.kill()  # else leaving the block would wait for it
    assert child.returncode == code
    assert "Traceback" not in errors
    assert out == ""
    assert not tuned.parent.exists()


def test_a_file_that_cannot_be_read(hotbed: Run, tiny: Path, tuned: Path) -> None:
    """It stops embedding and tuning with the way out, which works; nothing is lost."""
    tuned.parent.mkdir()
    tuned.write_text("thesis", encoding="utf-8")
    for arguments in (("embed", "-m", tiny, "bread"), ("tune", tiny), ("tune",)):
        done = hotbed(*arguments)
        assert done.returncode == 2
        assert "`hotbed tune --forget` puts it aside" in done.stderr
        assert "Traceback" not in done.stderr
    assert hotbed("convert", tiny, "--out", "converted").returncode == 0
    assert hotbed("tune", "--forget").returncode == 0
    assert tuned.with_name("tuned.json.unreadable").read_text(encoding="utf-8") == "thesis"
    assert hotbed("embed", "-m", tiny, "bread").returncode == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--budgets", "256,many"), "--budgets '256,many': give positive numbers"),
        (("--budgets", "0"), "--budgets '0'"),
        (("--budgets", ","), "--budgets ','"),
        (("--dtype", "fp12"), "dtype='fp12' is not known"),
        (("--backend", "acme"), "'acme' is not installed"),
        (("--texts", "absent.txt"), "absent.txt is not a file"),
        (("--rounds", "0"), "--rounds"),
        (("--for", "fun"), "--for"),
        (("--forget", "--dry-run"), "--forget and --dry-run: choose one"),
    ],
)
def test_what_is_asked_wrongly_is_refused(
    hotbed: Run, tiny: Path, tuned: Path, arguments: tuple[str, str], said: str
) -> None:
    """Exit code 2, before anything is opened; the argument is named."""
    done = hotbed("tune", tiny, *arguments)
    assert done.returncode == 2
    assert said in done.stderr
    assert not tuned.parent.exists()


def test_nothing_that_can_serve(hotbed: Run, tiny: Path, tuned: Path) -> None:
    """Exit code 1, with each backend's reason."""
    done = hotbed("tune", tiny, "--dtype", "bf16")
    assert done.returncode == 1
    assert (
        "onnx_cpu bfloat16 on auto  dtype: asked for bfloat16; it computes in float32"
        in done.stderr
    )
