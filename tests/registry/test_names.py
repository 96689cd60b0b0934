"""Names that would not travel, and paths that lead elsewhere, are refused with a reason."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from hotbed.errors import UnsupportedModelError, UsageError
from hotbed.registry import Registry
from hotbed.registry.external import external_data
from hotbed.registry.names import require_alias, require_files, require_model


@pytest.mark.parametrize("name", ["support", "a", "all-MiniLM-L6-v2", "v2.1_x", "9"])
def test_names_that_travel(name: str) -> None:
    """Letters, digits, dots, dashes and underscores do."""
    require_model(name)


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("", "is empty"),
        ("../x", "holds other signs"),
        ("a/b", "holds other signs"),
        ("a..b", "holds '..'"),
        ("name.", "ends in one of these"),
        ("name ", "ends in one of these"),
        ("CON", "a device on Windows"),
        ("nul.model", "a device on Windows"),
        ("x" * 300, "has 300 characters"),
        ("ѕupport", "CYRILLIC SMALL LETTER DZE"),
        ("a\u202eb", "RIGHT-TO-LEFT OVERRIDE"),
        ("a\nb", "holds other signs"),
    ],
)
def test_names_that_do_not(name: str, why: str, registry: Registry, model: Path) -> None:
    """The message says why, and nothing is registered."""
    with pytest.raises(UsageError, match=r"(?s)model name .*" + why):
        registry.register(name, model)
    assert registry.search() == []


@pytest.mark.parametrize(
    ("alias", "why"),
    [("latest", "highest stable"), ("1.2", "taken for a version"), ("v3", "taken for a version")],
)
def test_aliases_that_mean_something_else(alias: str, why: str) -> None:
    """An alias is no version."""
    with pytest.raises(UsageError, match=why):
        require_alias(alias)


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("/etc/passwd", "not a path inside"),
        ("C:/x", "not a path inside"),
        ("../x", "leads elsewhere"),
        ("a//b", "leads elsewhere"),
        ("a/./b", "leads elsewhere"),
        ("a\\b", "holds '"),
        ("ab:c", "holds ':'"),
        ("a/aux.json", "a device on Windows"),
        ("onnx./model.onnx", "ends with a dot"),
        ("x" * 300, "has 300 bytes"),
        ("e\u0301.json", "NFC"),
    ],
)
def test_paths_that_some_system_reads_as_others(path: str, why: str) -> None:
    """Each is refused."""
    with pytest.raises(UsageError, match=why):
        require_files(["config.json", path])


def test_all_paths_that_are_wrong_are_named_together() -> None:
    """And two that differ in case only."""
    with pytest.raises(UsageError) as caught:
        require_files(["a.json", "A.json", "../x", "b?"])
    assert str(caught.value).count(";") == 2


@pytest.mark.parametrize("path", ["config.json/x", "Config.JSON/deep/x"])
def test_a_file_and_a_folder_of_one_name(path: str) -> None:
    """No folder could hold both."""
    with pytest.raises(UsageError, match="'config.json' is a file, and .* lies in a folder of"):
        require_files(["config.json", path])


@pytest.mark.skipif(os.name == "nt", reason="symbolic links need a privilege on Windows")
def test_a_symbolic_link_is_refused(registry: Registry, model: Path, tmp_path: Path) -> None:
    """Inside a version everything is a file of its own."""
    (tmp_path / "secret").write_text("x", encoding="utf-8")
    (model / "link.json").symlink_to("config.json")
    with pytest.raises(UsageError, match=r"'link.json' is a symbolic link to config.json"):
        registry.register("support", model)
    (model / "link.json").unlink()
    (model / "link.json").symlink_to(tmp_path / "secret")
    with pytest.raises(UnsupportedModelError, match=r"link.json is a link to .*secret"):
        registry.register("support", model)


def test_names_that_differ_in_case_only(registry: Registry, model: Path) -> None:
    """One of them has the name."""
    registry.register("Support", model)
    with pytest.raises(UsageError, match="differs from the model 'Support' in case only"):
        registry.register("support", model)


@pytest.mark.parametrize(
    "location", ["../outside.data", "/etc/passwd", "missing.data", "a/../../x", "x" * 200]
)
def test_external_data_outside_is_refused(
    registry: Registry, model: Path, tmp_path: Path, location: str
) -> None:
    """Whatever onnx itself wrote as the place of a tensor's data."""
    (tmp_path / "outside.data").write_bytes(bytes(64))
    write_graph(model / "onnx" / "model.onnx", location)
    with pytest.raises(UsageError, match="which is no file of the folder") as caught:
        registry.register("support", model)
    assert f"onnx/model.onnx keeps weights in {location!r}" in str(caught.value)


def test_external_data_beside_the_graph(registry: Registry, model: Path) -> None:
    """It is part of the version, in the graph's folder or below."""
    for name, location in (("model", "model.onnx_data"), ("deep", "data/deep.bin")):
        place = model / "onnx" / location
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(bytes(64))
        write_graph(model / "onnx" / f"{name}.onnx", location)
        assert list(external_data(model / "onnx" / f"{name}.onnx")) == [location]
    registry.register("support", model)


def write_graph(path: Path, location: str) -> None:
    """An ONNX file with one tensor whose bytes lie elsewhere."""
    onnx = pytest.importorskip("onnx")
    tensor = onnx.TensorProto(name="w", data_type=onnx.TensorProto.FLOAT, dims=[16])
    tensor.data_location = onnx.TensorProto.EXTERNAL
    for key, value in (("location", location), ("offset", "0"), ("length", "64")):
        tensor.external_data.add(key=key, value=value)
    graph = onnx.GraphProto(name="g", initializer=[tensor])
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(onnx.ModelProto(graph=graph, ir_version=8).SerializeToString())
