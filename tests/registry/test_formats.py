"""Files as the first hotbed with them wrote them are read still; newer ones are named as such."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hotbed.errors import CorruptFileError
from hotbed.registry.archived import read_index
from hotbed.registry.manifest import Manifest
from hotbed.registry.resolutions import _path, recall

SAMPLES = Path(__file__).parents[1] / "data" / "registry"


def test_a_manifest() -> None:
    """Keys of a later hotbed are kept: the digest is over them."""
    content = (SAMPLES / "manifest_1.json").read_bytes()
    manifest = Manifest.decode(content)
    assert (manifest.name, manifest.dimension, manifest.files[0].size) == ("support", 32, 2)
    assert manifest.encode() == content
    with pytest.raises(CorruptFileError, match="a newer hotbed wrote it: version 2"):
        Manifest.decode(content.replace(b'"manifest":1', b'"manifest":2'))


def test_the_list_of_an_archive() -> None:
    """Keys of a later hotbed are passed over."""
    content = (SAMPLES / "archive_1.json").read_bytes()
    (entry,) = read_index(content)
    assert (entry.notes.description, entry.notes.metrics) == ("one", {"ndcg": 0.5})
    with pytest.raises(CorruptFileError, match="a newer hotbed wrote the archive: version 2"):
        read_index(content.replace(b'"archive":1', b'"archive":2'))


def test_what_a_reference_meant(tmp_path: Path) -> None:
    """What a later hotbed wrote is not known here, and is asked for again."""
    path = _path(tmp_path, "/r", "support@production")
    path.parent.mkdir(parents=True)
    said = json.loads((SAMPLES / "resolution_1.json").read_bytes())
    path.write_text(json.dumps(said), encoding="utf-8")
    found = recall(tmp_path, "/r", "support@production")
    assert found is not None
    assert (str(found.version), found.version.dimension) == ("support@1.0.0", 32)
    path.write_text(json.dumps({**said, "format_version": 2}), encoding="utf-8")
    assert recall(tmp_path, "/r", "support@production") is None
