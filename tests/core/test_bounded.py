"""Sizes that strangers declare."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path

import pytest

from hotbed.bounded import copy_bounded, free_bytes, require_sane_size
from hotbed.errors import CorruptFileError, SourceError
from hotbed.models.weights import Weights
from hotbed.sources.wheel import extract_model
from hotbed.testing import build_tiny


def test_no_more_is_copied_than_declared() -> None:
    """One byte beyond is refused, before it is written."""
    out = io.BytesIO()
    assert copy_bounded(io.BytesIO(b"abc"), out, 3, "x") == 3
    with pytest.raises(CorruptFileError, match="x holds more than the 2 bytes"):
        copy_bounded(io.BytesIO(b"abc"), io.BytesIO(), 2, "x")
    assert out.getvalue() == b"abc"


def test_what_is_declared_is_bounded(tmp_path: Path) -> None:
    """By the archive's own size, and by the disk; small things may shrink as they like."""
    require_sane_size(50_000_000, 10, tmp_path, "it")
    require_sane_size(2_000_000_000, 1_000_000_000, tmp_path, "it")
    with pytest.raises(CorruptFileError, match="it has 1,500,000 bytes and says that it unpacks"):
        require_sane_size(1_500_000_000, 1_500_000, tmp_path, "it")
    free = free_bytes(tmp_path / "not" / "there")
    with pytest.raises(CorruptFileError, match="are free at"):
        require_sane_size(free * 2, free, tmp_path, "it")


def wheel(tmp_path: Path, *extra: tuple[str | zipfile.ZipInfo, bytes]) -> Path:
    """A wheel with a model, and more entries beside its configuration."""
    folder = build_tiny(tmp_path / "tiny")
    with zipfile.ZipFile(tmp_path / "a.whl", "w", zipfile.ZIP_DEFLATED) as archive:
        for path in folder.rglob("*"):
            if path.is_file():
                archive.write(path, f"m/{path.relative_to(folder).as_posix()}")
        for name, content in extra:
            archive.writestr(name, content, zipfile.ZIP_DEFLATED)
    return tmp_path / "a.whl"


def _link() -> zipfile.ZipInfo:
    info = zipfile.ZipInfo("m/link.json")
    info.external_attr = 0o120777 << 16
    return info


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize(
    ("extra", "message"),
    [
        ([("m/zeros.bin", bytes(100_000_000))], "says that it unpacks to 100,"),
        ([(f"m/{n}.bin", bytes(10_000_000)) for n in range(10)], "says that it unpacks to 100,"),
        ([("m/config.json", b"{}")], "holds config.json twice"),
        ([("m/Config.JSON", b"{}")], "holds Config.JSON twice"),
        ([("m/config.json/x", b"{}")], "is a file in the wheel, and a folder"),
        ([(_link(), b"/etc/passwd")], "is a link or a device"),
        ([("m/a\\..\\..\\x", b"")], "leads out|no name for a file"),
        ([("m/a:b", b"")], "leads out"),
        ([("m/a\x1b[31m", b"")], "no name for a file"),
        ([(f"n/{n}", b"") for n in range(10_001)], "entries; 10,000 are allowed"),
    ],
    ids=range(10),
)
def test_wheels(
    tmp_path: Path, extra: list[tuple[str | zipfile.ZipInfo, bytes]], message: str
) -> None:
    """Nothing is written of a wheel whose sizes or names are not those of a model."""
    path, into = wheel(tmp_path, *extra), tmp_path / "into"
    with pytest.raises(SourceError, match=message):
        extract_model(path, into)
    assert not into.exists()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x00",
        (2**63).to_bytes(8, "little") + b"{}",
        (90_000_000).to_bytes(8, "little") + b"{}",
        (2).to_bytes(8, "little") + b"{",
        (40_000_000).to_bytes(8, "little") + b"{" + b" " * 40_000_000,
    ],
    ids=range(6),
)
def test_headers_of_safetensors(tmp_path: Path, content: bytes) -> None:
    """A header beyond the file, or longer than any model's, is refused before it is read."""
    (tmp_path / "model.safetensors").write_bytes(content)
    with pytest.raises(CorruptFileError, match="its header has"):
        Weights.open(tmp_path)


def test_offsets_beyond_the_file(tmp_path: Path) -> None:
    """A tensor that ends after the file is refused."""
    header = json.dumps({"a": {"dtype": "F32", "shape": [10**9], "data_offsets": [0, 4 * 10**9]}})
    content = len(header).to_bytes(8, "little") + header.encode()
    (tmp_path / "model.safetensors").write_bytes(content)
    with pytest.raises(CorruptFileError, match="cannot be read as safetensors"):
        Weights.open(tmp_path)
