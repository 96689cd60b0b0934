"""Links in a model folder: inside it, or inside the hub's cache of the same model."""

from __future__ import annotations

from pathlib import Path

import pytest

from hotbed.errors import CorruptFileError, ModelError, UnsupportedModelError
from hotbed.models import read_folder
from hotbed.models.containment import contained
from hotbed.testing import build_tiny

NAMES = ["README.md", "config.json", "modules.json", "tokenizer.json", "model.safetensors"]
NAMES += ["sentence_bert_config.json", "1_Pooling/config.json", "onnx/model.onnx_data", ".hidden"]


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    """A model folder."""
    return build_tiny(tmp_path / "place" / "tiny")


def link(folder: Path, name: str, target: str | Path) -> None:
    """Put a link in the place of a file."""
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).unlink(missing_ok=True)
    (folder / name).symlink_to(target)


@pytest.mark.parametrize("name", NAMES)
def test_a_link_that_leads_out(tiny: Path, tmp_path: Path, name: str) -> None:
    """Whatever it is called, and whatever it leads to, by a full or a relative path."""
    (tmp_path / "secret").write_text("{}")
    for target in (tmp_path / "secret", "../../secret", "../../../secret", tmp_path / "gone"):
        link(tiny, name, target)
        with pytest.raises(UnsupportedModelError, match=f"{name} is a link to .*outside"):
            read_folder(tiny)
        with pytest.raises(UnsupportedModelError):
            contained(tiny, name)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("target", ["nothing", "loop"])
def test_a_link_that_leads_nowhere(tiny: Path, name: str, target: str) -> None:
    """It does not count as an absent file: without modules.json the model is another."""
    link(tiny, name, Path(name).name if target == "loop" else target)
    with pytest.raises(CorruptFileError, match=f"{name} is a link"):
        read_folder(tiny)


def test_a_folder_that_is_a_link(tiny: Path, tmp_path: Path) -> None:
    """The model folder itself may be one; a folder in it may not lead out, through a chain even."""
    (tmp_path / "mine").symlink_to(tiny)
    assert read_folder(tmp_path / "mine").family == "bert"
    (tiny / "1_Pooling").rename(tmp_path / "pooling")
    (tiny / "step").symlink_to(tmp_path / "pooling")
    (tiny / "1_Pooling").symlink_to("step")
    with pytest.raises(UnsupportedModelError, match="outside the model folder"):
        read_folder(tiny)


def test_links_that_stay_inside(tiny: Path) -> None:
    """Between names of one folder they are fine."""
    (tiny / "config.json").rename(tiny / "own.json")
    link(tiny, "config.json", "own.json")
    assert read_folder(tiny).family == "bert"


@pytest.mark.parametrize(("blob", "fine"), [("../../blobs/a", True), ("../../../other/a", False)])
def test_the_hubs_cache(tmp_path: Path, blob: str, fine: bool) -> None:
    """A snapshot's links lead to the blobs of its own repository, and to no other place."""
    snapshot = build_tiny(tmp_path / "hub" / "models--acme--tiny" / "snapshots" / "c0ffee")
    place = snapshot / blob
    place.parent.mkdir(parents=True)
    (snapshot / "config.json").rename(place)
    link(snapshot, "config.json", blob)
    if fine:
        assert read_folder(snapshot).family == "bert"
        link(snapshot, "model.safetensors", "../../blobs/not-fetched-yet")
        assert read_folder(snapshot).family == "bert"
    else:
        with pytest.raises(UnsupportedModelError, match="outside"):
            read_folder(snapshot)


@pytest.mark.parametrize("name", ["../x", "a/../../x", "/etc/passwd"])
def test_names_that_lead_out(tiny: Path, name: str) -> None:
    """What is opened by a name from a file stays inside as well."""
    with pytest.raises((ModelError, ValueError)):
        contained(tiny, name)


@pytest.mark.parametrize("path", [".git", "x/.y"])
def test_a_hidden_module(tiny: Path, path: str) -> None:
    """Hidden folders are not looked through, so no module may lie in one."""
    text = (tiny / "modules.json").read_text().replace("1_Pooling", path)
    (tiny / "modules.json").write_text(text)
    with pytest.raises(UnsupportedModelError, match="is hidden"):
        read_folder(tiny)
