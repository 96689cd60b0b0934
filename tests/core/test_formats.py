"""File formats that backends bring: which files are theirs, and what belongs to each."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hotbed.backends import FileFormat, Variant
from hotbed.backends.catalog import BACKENDS
from hotbed.backends.decision import Request
from hotbed.loading import House
from hotbed.models import read_folder
from hotbed.models.folder import ModelFolder
from hotbed.models.layout import brought_variants, format_folder
from hotbed.settings import Settings
from hotbed.testing import build_tiny
from tests.distributions import install

OPENVINO = FileFormat(
    name="openvino",
    folder="openvino",
    stem="openvino_model",
    suffix=".xml",
    storages={"": "float32", "_fp16": "float16", "_qint8_quantized": "int8"},
    companions=".bin",
)
GGUF = FileFormat(name="gguf", folder="gguf", suffix=".gguf", storages={"_q4": "q4"})


def found(*files: str, prefix: str = "", formats: tuple[FileFormat, ...] = (OPENVINO,)) -> Any:
    """(format, file, storage) of what is recognised."""
    variants = brought_variants(formats, files, prefix)
    return [(variant.format, variant.file, variant.storage) for variant in variants]


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    """A tiny model with safetensors."""
    return build_tiny(tmp_path / "tiny")


def with_files(tiny: Path, *files: str, formats: tuple[FileFormat, ...] = ()) -> ModelFolder:
    """Read the model with some more files in its folder."""
    for name in files:
        (tiny / name).parent.mkdir(parents=True, exist_ok=True)
        (tiny / name).touch()
    return read_folder(tiny, formats=formats or (OPENVINO, GGUF))


def test_a_file_is_recognised_by_folder_stem_and_suffix() -> None:
    """As sentence-transformers writes it: ``openvino/openvino_model.xml``, float32 in its name."""
    assert found("openvino/openvino_model.xml", "config.json") == [
        ("openvino", "openvino/openvino_model.xml", "float32")
    ]


def test_what_stands_between_stem_and_suffix_tells_the_storage() -> None:
    """The format's own table is read; a name that is not in it gives ``unknown``."""
    files = [
        "openvino/openvino_model_strange.xml",
        "openvino/openvino_model_qint8_quantized.xml",
        "openvino/openvino_model.xml",
        "openvino/openvino_model_fp16.xml",
    ]
    assert found(*files) == [
        ("openvino", "openvino/openvino_model.xml", "float32"),
        ("openvino", "openvino/openvino_model_fp16.xml", "float16"),
        ("openvino", "openvino/openvino_model_strange.xml", "unknown"),
        ("openvino", "openvino/openvino_model_qint8_quantized.xml", "int8"),
    ]


@pytest.mark.parametrize(
    "file",
    [
        "openvino_model.xml",
        "openvino/model.xml",
        "openvino/openvino_model.bin",
        "openvino/openvino_model.xml.bak",
        "openvino/openvino_model/tokenizer.xml",
        "openvino/old/openvino_model.xml",
        "old/openvino/openvino_model.xml",
        "openvino/openvino_mode.xml",
    ],
)
def test_another_place_or_name_is_not_of_the_format(file: str) -> None:
    """Nothing in another folder, deeper down, of another stem or another suffix is taken."""
    assert found(file) == []


def test_the_folder_lies_below_the_transformers_own() -> None:
    """In a model whose transformer has a folder of its own, the format's folder is in that."""
    files = ("0_Transformer/openvino/openvino_model.xml", "openvino/openvino_model.xml")
    assert found(*files, prefix="0_Transformer/") == [
        ("openvino", "0_Transformer/openvino/openvino_model.xml", "float32")
    ]


@given(st.lists(st.text("ab_/.xml", min_size=1, max_size=8), max_size=6, unique=True))
def test_each_file_that_is_recognised_can_be_spelt_back(names: list[str]) -> None:
    """A variant's file is one of the folder's, begins and ends as declared, and comes once."""
    files = [f"openvino/openvino_model{name}" for name in names]
    recognised = [file for _, file, _ in found(*files)]
    assert len(set(recognised)) == len(recognised)
    expected = {
        file
        for file in files
        if file.endswith(".xml") and "/" not in file[len("openvino/openvino_model") : -len(".xml")]
    }
    assert set(recognised) == expected


def test_where_a_format_lies() -> None:
    """ONNX has its folder, safetensors the root, a brought format what it says, else its name."""
    assert format_folder("onnx") == "onnx"
    assert format_folder("safetensors") == ""
    other = FileFormat(name="acme", folder="deep/acme", suffix=".acme")
    assert format_folder("acme", [other]) == "deep/acme"
    assert format_folder("unheard-of", [other]) == "unheard-of"


def test_one_string_is_one_companion() -> None:
    """``companions=".bin"`` means ``(".bin",)``, not four letters."""
    assert OPENVINO.companions == (".bin",)


def test_brought_files_come_after_the_known_ones(tiny: Path) -> None:
    """The reference, whose weights ``dtype=None`` means, stays what it was without the plugin."""
    files = ("onnx/model.onnx", "openvino/openvino_model.xml", "gguf/model_q4.gguf")
    folder = with_files(tiny, *files)
    assert [(v.format, v.storage) for v in folder.variants] == [
        ("safetensors", "float32"),
        ("onnx", "float32"),
        ("openvino", "float32"),
        ("gguf", "q4"),
    ]
    assert folder.variants[:2] == read_folder(tiny).variants


def test_a_folder_with_nothing_else_is_runnable_by_whoever_knows_it(tiny: Path) -> None:
    """Only a brought file: it is the reference; without the plugin there is nothing to run."""
    (tiny / "model.safetensors").unlink()
    folder = with_files(tiny, "openvino/openvino_model_fp16.xml")
    assert [(v.file, v.storage) for v in folder.variants] == [
        ("openvino/openvino_model_fp16.xml", "float16")
    ]
    assert read_folder(tiny).variants == ()


def test_companions_are_those_of_the_variant(tiny: Path) -> None:
    """A graph's separate weights go with it, and another variant's do not."""
    files = [
        f"openvino/openvino_model{name}{suffix}"
        for name in ("", "_fp16")
        for suffix in (".xml", ".bin")
    ]
    folder = with_files(tiny, *files, "openvino/openvino_model.txt")
    plain, half = (v for v in folder.variants if v.format == "openvino")
    assert folder.companions(plain) == ["openvino/openvino_model.bin"]
    assert folder.companions(half) == ["openvino/openvino_model_fp16.bin"]


def test_companions_are_those_of_the_variants_own_format(tiny: Path) -> None:
    """Another format with the same suffix neither adds files nor takes them away."""
    for suffixes in ((), ("_index",), (".bin", ".txt")):
        other = FileFormat(name="other", folder="other", suffix=".xml", companions=suffixes)
        files = ("openvino/openvino_model.xml", "openvino/openvino_model.bin")
        folder = with_files(tiny, *files, formats=(OPENVINO, other))
        (variant,) = (v for v in folder.variants if v.format == "openvino")
        assert folder.companions(variant) == ["openvino/openvino_model.bin"]


def test_a_format_that_two_backends_bring_is_read_once(tiny: Path) -> None:
    """The first one's word holds for each file."""
    again = FileFormat(
        name="openvino", folder="openvino", stem="openvino_model", suffix=".xml", storages={}
    )
    folder = with_files(tiny, "openvino/openvino_model.xml", formats=(OPENVINO, again))
    brought = [(v.format, v.storage) for v in folder.variants if v.format == "openvino"]
    assert brought == [("openvino", "float32")]


def test_what_was_decided_reads_nothing_again(tiny: Path, tmp_path: Path) -> None:
    """The same question about a folder that was read is answered from memory."""
    house = House(Settings(home=tmp_path / "home"))
    folder = house.read(house.locate(str(tiny)))
    first = house.decide(Request(), folder)
    (tiny / "model.safetensors").write_bytes(b"no header")
    assert house.decide(Request(), folder) is first


def test_a_companion_that_is_not_there_is_not_asked_for(tiny: Path) -> None:
    """Only files of the folder are named: what is absent cannot be fetched."""
    folder = with_files(tiny, "openvino/openvino_model.xml")
    (variant,) = (v for v in folder.variants if v.format == "openvino")
    assert folder.companions(variant) == []


def test_external_data_goes_with_its_graph(tiny: Path) -> None:
    """ONNX keeps weights beside the graph under two spellings; formats brought change nothing."""
    data = ["onnx/model.onnx.data", "onnx/model.onnx_data", "onnx/model.onnx_data_1"]
    folder = with_files(tiny, "onnx/model.onnx", "onnx/model_fp16.onnx_data", *data)
    graph = Variant(format="onnx", file="onnx/model.onnx")
    assert folder.companions(graph) == data
    assert read_folder(tiny).companions(graph) == data


def test_shape_tells_sizes_and_not_weights(tmp_path: Path) -> None:
    """Two seeds have one shape; another width is another; what is missing is a question mark."""
    first, second = (build_tiny(tmp_path / f"seed{n}", seed=n) for n in (1, 2))
    shapes = {read_folder(path).shape for path in (first, second)}
    (shape,) = shapes
    assert shape.startswith("bert ")
    (first / "config.json").write_text('{"model_type": "bert", "hidden_size": 48}')
    (first / "model.safetensors").unlink()  # it would prove another width
    assert read_folder(first).shape == "bert ?×48, ? heads, ? inner"


BACKEND = """
from hotbed.backends import Capability, FileFormat, Manifest
HOTBED = Manifest(
    name="acme_format",
    hook_api=1,
    capabilities=[Capability(action="embed", formats="acme")],
    formats=[FileFormat(name="acme", folder="acme", suffix=".acme", companions=(".weights",))],
)
"""


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A backend that brings the format ``acme`` is installed."""
    entries = {BACKENDS: {"acme_format": "acme_format"}}
    install(tmp_path / "site", "acme-format", entries, {"acme_format": BACKEND})
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    monkeypatch.delitem(sys.modules, "acme_format", raising=False)


@pytest.mark.usefixtures("site")
def test_an_installed_backend_makes_its_files_runnable(tiny: Path, tmp_path: Path) -> None:
    """The house reads folders with the formats of usable backends; named, it gets its own file."""
    with_files(tiny, "acme/model.acme", "acme/model.weights")
    house = House(Settings(home=tmp_path / "home"))
    folder = house.read(house.locate(str(tiny)))
    assert folder.variants[-1].file == "acme/model.acme"
    assert folder.companions(folder.variants[-1]) == ["acme/model.weights"]
    named = house.decide(Request(backend="acme_format"), folder)
    assert named.chosen is not None
    assert named.chosen.route is not None
    assert named.chosen.route.file == "acme/model.acme"


@pytest.mark.usefixtures("site")
def test_a_blocked_backends_files_are_not_seen(tiny: Path, tmp_path: Path) -> None:
    """What may not be used brings no formats either."""
    with_files(tiny, "acme/model.acme")
    house = House(Settings(home=tmp_path / "home", blocked=["acme_format"]))
    folder = house.read(house.locate(str(tiny)))
    assert [variant.format for variant in folder.variants] == ["safetensors"]


PICKLES = FileFormat(
    name="pickles", folder="", stem="pytorch_model", suffix=".bin", instead_of="safetensors"
)


def test_a_format_in_the_transformers_own_folder() -> None:
    """An empty ``folder`` is the transformer's: the root, or where modules.json says."""
    assert found("pytorch_model.bin", "x/pytorch_model.bin", formats=(PICKLES,)) == [
        ("pickles", "pytorch_model.bin", "float32")
    ]
    inside = found("pytorch_model.bin", "0_T/pytorch_model.bin", prefix="0_T/", formats=(PICKLES,))
    assert inside == [("pickles", "0_T/pytorch_model.bin", "float32")]


def test_a_format_that_stands_in_for_another(tiny: Path) -> None:
    """It counts only where the other is not there."""
    both = with_files(tiny, "pytorch_model.bin", formats=(PICKLES,))
    assert [variant.format for variant in both.variants] == ["safetensors"]
    (tiny / "model.safetensors").unlink()
    alone = read_folder(tiny, formats=(PICKLES,))
    assert [variant.format for variant in alone.variants] == ["pickles"]
