"""``hf://``: what is read from the hub's cache, and how soon an absent hub is given up."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from attrs import evolve

from hotbed.errors import SourceError
from hotbed.sources import parse, resolve
from hotbed.sources.hub import GIVE_UP_AFTER
from hotbed.testing import build_tiny
from tests.isolation import child_environment

COMMIT = "0123456789abcdef0123456789abcdef01234567"
STARTING = 8.0
"""Seconds that a loaded machine may take to start Python and import huggingface_hub."""


def lay_out(hub: Path, commit: str = COMMIT, branch: str = "main") -> Path:
    """Lay out a model as huggingface_hub's cache does, by hand."""
    repository = hub / "models--acme--tiny"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / branch).write_text(commit)
    return build_tiny(repository / "snapshots" / commit)


_LOCATE = """
import json, sys, time, warnings
from pathlib import Path
from hotbed.errors import SourceError
from hotbed.sources import parse, resolve
started = time.perf_counter()
try:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        located = resolve(parse(sys.argv[1], home=Path("home")))
    answer = {"path": str(located.path), "files": len(located.files)}
    answer["warnings"] = [str(one.message) for one in caught]
except SourceError as error:
    answer = {"error": str(error)}
answer["seconds"] = time.perf_counter() - started
answer["imported"] = "huggingface_hub" in sys.modules
print(json.dumps(answer))
"""


def in_child(model: str, **environment: str) -> dict[str, object]:
    """Locate in a fresh process: huggingface_hub reads its variables when it is imported."""
    done = subprocess.run(
        [sys.executable, "-c", _LOCATE, model],
        capture_output=True,
        text=True,
        env=child_environment(**environment),
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    answer: dict[str, object] = json.loads(done.stdout)
    return answer


@pytest.fixture
def silent() -> Iterator[str]:
    """The URL of a server that accepts connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


@pytest.mark.parametrize("revision", [COMMIT, "main", None])
def test_the_cache_is_read_without_the_hubs_library(tmp_path: Path, revision: str | None) -> None:
    """Offline, a cached model is found by branch or commit, and huggingface_hub stays out."""
    folder = lay_out(tmp_path / "hf" / "hub")
    model = "acme/tiny" + (f"@{revision}" if revision else "")
    answer = in_child(model, HF_HOME=str(tmp_path / "hf"), HF_HUB_OFFLINE="1")
    assert answer["path"] == str(folder)
    assert answer["imported"] is False


def test_a_pinned_commit_needs_no_network_at_all(tmp_path: Path, silent: str) -> None:
    """A commit that is in the cache cannot have changed, so the hub is not asked."""
    lay_out(tmp_path / "hf" / "hub")
    answer = in_child(f"acme/tiny@{COMMIT}", HF_HOME=str(tmp_path / "hf"), HF_ENDPOINT=silent)
    assert "error" not in answer
    assert answer["imported"] is False


@pytest.mark.parametrize(
    "variable", ["HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "SENTENCE_TRANSFORMERS_HOME"]
)
def test_every_variable_that_names_the_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    """The cache is where huggingface_hub's and sentence-transformers' variables say."""
    folder = lay_out(tmp_path / "cache")
    monkeypatch.setenv(variable, str(tmp_path / "cache"))
    located = resolve(parse("acme/tiny", home=tmp_path, local_files_only=True))
    assert located.path == folder
    assert located.origin == f"hf://acme/tiny@{COMMIT}"


def test_a_given_cache_folder_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """``cache_folder=`` wins over the variables."""
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "elsewhere"))
    folder = lay_out(tmp_path / "mine")
    reference = parse(
        "acme/tiny", home=tmp_path, cache_folder=tmp_path / "mine", local_files_only=True
    )
    assert resolve(reference).path == folder


@pytest.mark.parametrize("flag", ["1", "true", "YES", "on"])
def test_offline_and_not_cached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, flag: str) -> None:
    """Offline, a model that is not in the cache is an error that says why nobody was asked."""
    monkeypatch.setenv("HF_HUB_OFFLINE", flag)
    with pytest.raises(SourceError, match=r"not in the hub's cache.*HF_HUB_OFFLINE"):
        resolve(parse("acme/tiny", home=tmp_path))


def test_offline_a_file_that_was_not_fetched_is_named(tmp_path: Path) -> None:
    """A snapshot without its weights says which file is missing when it is wanted."""
    folder = lay_out(tmp_path / "hub")
    (folder / "model.safetensors").unlink()
    reference = parse(
        "acme/tiny", home=tmp_path, cache_folder=tmp_path / "hub", local_files_only=True
    )
    located = resolve(reference)
    located.fetch(["config.json"])
    with pytest.raises(SourceError, match=r"model\.safetensors is not in the hub's cache"):
        located.fetch(["model.safetensors"])


def test_a_hub_that_refuses_the_connection_is_given_up_at_once() -> None:
    """A closed port is an error within seconds, and the message names the model."""
    answer = in_child("acme/tiny", HF_ENDPOINT="http://127.0.0.1:9")
    assert "hf://acme/tiny" in str(answer["error"])
    assert float(str(answer["seconds"])) < GIVE_UP_AFTER + STARTING


def test_a_hub_that_never_answers_is_given_up(silent: str) -> None:
    """A server that accepts and stays silent costs five seconds, not a minute."""
    started = time.perf_counter()
    answer = in_child("acme/tiny", HF_ENDPOINT=silent)
    assert "hf://acme/tiny" in str(answer["error"])
    assert float(str(answer["seconds"])) < GIVE_UP_AFTER + STARTING
    assert time.perf_counter() - started < GIVE_UP_AFTER + 2 * STARTING


@pytest.mark.parametrize("revision", ["", "@main"])
def test_a_hub_that_cannot_be_reached_leaves_the_cache(tmp_path: Path, revision: str) -> None:
    """As snapshot_download does: the cached snapshot, and a word about it."""
    folder = lay_out(tmp_path / "hf" / "hub")
    hf = {"HF_HOME": str(tmp_path / "hf"), "HF_ENDPOINT": "http://127.0.0.1:9"}
    answer = in_child(f"acme/tiny{revision}", **hf)
    assert answer["path"] == str(folder)
    assert "hf://acme/tiny" in str(answer["warnings"])
    assert "the hub's cache" in str(answer["warnings"]).replace("\\", "")
    assert str(answer["warnings"]).count(COMMIT) == 1


@pytest.mark.parametrize(("first", "second", "offline"), [("", "1", True), ("0", "1", False)])
def test_transformers_own_variable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, first: str, second: str, offline: bool
) -> None:
    """TRANSFORMERS_OFFLINE counts where HF_HUB_OFFLINE holds nothing, as in huggingface_hub."""
    monkeypatch.setenv("HF_HUB_OFFLINE", first)
    monkeypatch.setenv("TRANSFORMERS_OFFLINE", second)
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(SourceError) as caught:
        resolve(parse("acme/absent", home=tmp_path))
    assert ("TRANSFORMERS_OFFLINE" in str(caught.value)) == offline


@pytest.mark.parametrize("name", ["modules.json", "tokenizer.json", "1_Pooling/config.json"])
def test_a_small_file_whose_blob_is_gone(tmp_path: Path, name: str) -> None:
    """A snapshot without it would be another model: offline it is not there."""
    folder = lay_out(tmp_path / "hub")
    (folder / name).unlink()
    (folder / name).symlink_to("../../blobs/gone")
    reference = parse("acme/tiny", home=tmp_path, cache_folder=tmp_path / "hub")
    with pytest.raises(SourceError, match="not whole there"):
        resolve(evolve(reference, local_files_only=True))


@pytest.mark.parametrize("model", ["hf://tiny", "hf://a/b/c"])
def test_a_hub_model_is_named_org_and_name(tmp_path: Path, model: str) -> None:
    """Anything but org/name never reaches the hub."""
    with pytest.raises(SourceError, match="a hub model is named org/name"):
        resolve(parse(model, home=tmp_path))
