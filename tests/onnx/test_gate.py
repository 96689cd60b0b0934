"""What a hook writes passes the gate, or nobody ever sees it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import hotbed
from hotbed.backends import Artifact, ConvertTarget, Recipe
from hotbed.conversion import convert_into, quantize_into, read_records
from hotbed.errors import CorruptFileError, FidelityError
from hotbed.fidelity import threshold
from hotbed.loading import default_house
from hotbed.models.digests import sha256
from hotbed.testing import TEXTS, build_tiny
from hotbed.testing.tiny import bert_config, bert_tensors
from tests.distributions import install
from tests.kit.quantisation_faults import QUANTISER

SPOILER = '''
"""A wrapper that spoils what a conversion wrote: even a wrapper comes before the gate."""
import os
from hotbed.backends import hookimpl

@hookimpl(wrapper=True)
def hotbed_convert(folder, target, out):
    variants = yield
    if os.environ.get("ACME_SPOIL"):
        import numpy as np
        import onnx
        path = out / variants[0].file
        model = onnx.load(path)
        for held in model.graph.initializer:
            value = onnx.numpy_helper.to_array(held)
            if value.dtype == np.float32 and value.ndim == 1 and value.size == 48:
                spoilt = value + float(os.environ["ACME_SPOIL"])
                held.CopyFrom(onnx.numpy_helper.from_array(spoilt, held.name))
        onnx.save(model, path)
    return variants
'''
QUIET = '''
"""A converter into a format that nothing here runs."""
from hotbed.backends import Capability, FileFormat, Manifest, Variant, hookimpl

HOTBED = Manifest(
    name="acme", hook_api=1,
    formats=(FileFormat(name="acme", folder="acme", suffix=".acme"),),
    capabilities=(Capability(action="convert", formats="safetensors", to="acme"),),
)

@hookimpl
def hotbed_convert(folder, target, out):
    (out / "model.acme").write_bytes(b"1")
    return (Variant(format="acme", file="model.acme", storage="float32"),)
'''


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of distributions that this process sees."""
    place = tmp_path / "site"
    place.mkdir()
    monkeypatch.syspath_prepend(place)
    return place


@pytest.fixture
def spoiler(site: Path) -> None:
    """The wrapper that spoils conversions where ACME_SPOIL says how much."""
    install(
        site,
        "acme-spoiler",
        {"hotbed.wrappers": {"acme": "acme_spoiler"}},
        {"acme_spoiler": SPOILER},
    )
    hotbed.refresh()


def converted(
    folder: Path, out: Path, *, accept_loss: bool = False, backend: str = "onnx_cpu"
) -> Path:
    """Convert a folder as the command does."""
    house = default_house()
    target = ConvertTarget(format="acme" if backend == "acme" else "onnx")
    model = house.read(house.locate(str(folder)))
    gate = house.gate(accept_loss=accept_loss)
    return convert_into(house.engine(backend), model, target, out, gate).path


def test_a_conversion_leaves_its_record(tiny: Path, tmp_path: Path) -> None:
    """``hotbed.json`` names the sources by digest, what was written, and how near it came."""
    (made,) = read_records(converted(tiny, tmp_path / "out"))
    assert (made.action, made.model) == ("convert", "tiny")
    assert made.by.startswith("hotbed 0.")
    assert made.recipe["profile"] == "portable"
    assert made.sources["model.safetensors"] == sha256(tiny / "model.safetensors")
    assert [variant.file for variant in made.variants] == ["onnx/model.onnx"]
    (report,) = made.reports
    assert report.overall is not None
    assert report.overall.lowest >= 0.99999
    assert report.overall.neighbours == 1.0
    assert report.reference == "numpy forward of bert, float64"
    assert report.runner.startswith("onnx_cpu 0.")
    assert {case.name for case in report.cases} >= {
        "texts",
        "one token",
        "all but one token padding",
        "16 tokens",
    }


@pytest.mark.parametrize(("limit", "name"), [(900, "900 tokens"), (2000, "1024 tokens, where a")])
def test_the_longest_case_is_capped(tmp_path: Path, limit: int, name: str) -> None:
    """The report says so where the model reads more tokens than a check does."""
    config = {"max_position_embeddings": 2000}
    folder = build_tiny(tmp_path / "m", max_seq_length=limit, config=config)
    (made,) = read_records(converted(folder, tmp_path / "out"))
    names = [case.name for case in made.reports[0].cases]
    assert any(one.startswith(name) for one in names), names


@pytest.mark.usefixtures("spoiler")
def test_a_spoilt_conversion_is_refused(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error names the worst case and both numbers, and no folder appears."""
    monkeypatch.setenv("ACME_SPOIL", "0.05")
    with pytest.raises(
        FidelityError, match=r"lowest cosine 0\.9\d+, and at least 0\.99999"
    ) as error:
        converted(tiny, tmp_path / "out")
    assert "worst in the case" in str(error.value)
    assert "--accept-loss" in str(error.value)
    assert not list(tmp_path.glob("*out*"))


@pytest.mark.usefixtures("spoiler")
def test_a_spoilt_graph_never_reaches_the_cache(
    tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Loading, which converts, is refused as well; and works once the fault is gone."""
    monkeypatch.setenv("ACME_SPOIL", "0.05")
    with pytest.raises(FidelityError):
        hotbed.load(tiny)
    assert not default_house().cache.entries()
    monkeypatch.delenv("ACME_SPOIL")
    hotbed.load(tiny).close()
    (entry,) = default_house().cache.entries()
    manifest = json.loads((entry.path / "graph.json").read_text(encoding="utf-8"))
    assert manifest["reports"][0]["overall"]["lowest"] >= 0.99999


@pytest.mark.usefixtures("spoiler")
def test_an_accepted_loss_is_recorded(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With ``accept_loss`` the folder appears, and its report says what was accepted."""
    monkeypatch.setenv("ACME_SPOIL", "0.05")
    (made,) = read_records(converted(tiny, tmp_path / "out", accept_loss=True))
    assert "lowest cosine" in made.reports[0].accepted


def test_what_nothing_runs_is_refused_unless_accepted(
    tiny: Path, tmp_path: Path, site: Path
) -> None:
    """A result that cannot be checked is no result; accepted, the record says that it was not."""
    install(site, "acme", {"hotbed.backends": {"acme": "acme_quiet"}}, {"acme_quiet": QUIET})
    hotbed.refresh()
    with pytest.raises(FidelityError, match="could not be checked: nothing installed runs it"):
        converted(tiny, tmp_path / "a", backend="acme")
    (made,) = read_records(converted(tiny, tmp_path / "b", accept_loss=True, backend="acme"))
    assert made.reports[0].overall is None
    assert "nothing installed runs it" in made.reports[0].unchecked


def test_weights_that_are_not_finite_are_refused(tmp_path: Path) -> None:
    """NaN in a weight does not become a graph, and the tensor is named."""
    tensors = bert_tensors(bert_config())
    tensors["encoder.layer.1.output.dense.weight"][3, 4] = np.nan
    folder = build_tiny(tmp_path / "nan", tensors=tensors)
    with pytest.raises(CorruptFileError, match=r"encoder\.layer\.1\.output\.dense\.weight"):
        converted(folder, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_vectors_that_are_not_finite_are_refused(tmp_path: Path) -> None:
    """Weights that are finite and make the arithmetic overflow are refused, with the case."""
    tensors = bert_tensors(bert_config())
    tensors["encoder.layer.1.output.LayerNorm.weight"] *= np.float32(1e38)
    folder = build_tiny(tmp_path / "huge", tensors=tensors)
    with pytest.raises(FidelityError, match="not finite in the case 'texts'"):
        converted(folder, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_quantisation_is_compared_with_its_source(tiny: Path, tmp_path: Path, site: Path) -> None:
    """The report of a quantised form stands beside that of the conversion it was made from."""
    install(
        site, "hotbed-patient", {"hotbed.backends": {"patient": "patient"}}, {"patient": QUANTISER}
    )
    hotbed.refresh()
    house = default_house()
    source = converted(tiny, tmp_path / "float")
    folder = house.read(house.locate(str(source)))
    (variant,) = folder.variants
    artifact = Artifact(folder=folder.path, path=folder.path / variant.file, variant=variant)
    texts = [text for text in TEXTS if text]
    made = quantize_into(
        house.engine("patient"),
        artifact,
        folder,
        Recipe(name="rounded"),
        texts,
        tmp_path / "int8",
        house.gate(),
    )
    first, second = read_records(made.path)
    assert (first.action, second.action) == ("convert", "quantize")
    assert second.recipe["texts"] == len(texts)
    (report,) = second.reports
    assert report.dtype == "int8"
    assert report.threshold == threshold("int8")
    assert report.reference.startswith("onnx/model.onnx, onnx_cpu")


def test_a_record_that_cannot_be_read_is_named(tiny: Path) -> None:
    """A foreign or cut-off ``hotbed.json`` is an error that says what to do."""
    (tiny / "hotbed.json").write_text('{"version": 9}', encoding="utf-8")
    with pytest.raises(CorruptFileError, match=r"version 9.*reads 1.*remove it"):
        read_records(tiny)


def test_reports_survive_the_file(tiny: Path, tmp_path: Path) -> None:
    """What is read back equals what was written, case by case."""
    (made,) = read_records(converted(tiny, tmp_path / "out"))
    assert made.reports[0].from_dict(made.reports[0].as_dict()) == made.reports[0]
