"""``hotbed_quantize`` of onnx_cpu: every recipe on several architectures, and what is refused.

Oracles: ONNX Runtime's ``quantize_dynamic`` for dynamic integers; for blocks, a float32 model whose
weights were rounded by hand; for all, the float32 graph that a file was made from.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from attrs import evolve
from numpy.typing import NDArray

import hotbed
from hotbed.backends import Artifact, Layer, Recipe, Variant
from hotbed.backends.catalog import Catalog
from hotbed.backends.engine import Engine
from hotbed.errors import (
    ConversionError,
    CorruptFileError,
    HotbedWarning,
    MissingFileError,
    ModelError,
    UsageError,
)
from hotbed.fidelity import compare_vectors
from hotbed.inference.tokenisation import Tokenizer
from hotbed.models import read_folder
from hotbed.models.layout import onnx_storage
from hotbed.testing import TEXTS, build_tiny
from hotbed.testing.tiny import bert_config, bert_tensors
from hotbed.testing.tiny_families import TINY
from hotbed_onnx.integers import warn_of_overflow, without_vnni
from hotbed_onnx.quantising.recipes import RECIPES, Way, file_stem
from tests.onnx.quantisable import (
    VOCABULARY,
    artifact_of,
    family,
    large_table,
    vectors,
    written,
)

Floats = NDArray[np.float32]
MIXING = [way for way in RECIPES if way.mixes]
MEAN = {"static_int8": 0.98, "dynamic_int8": 0.98, "weights_8bit": 0.99, "weights_4bit": 0.8}
FAMILIES = sorted({"bert", *TINY} - {"static", "model2vec"})


@pytest.fixture
def engine() -> Engine:
    """The backend behind its hooks."""
    return Engine(Catalog().get("onnx_cpu"))


def operators(path: Path) -> list[str]:
    """The operators of a file's graph."""
    import onnx

    return [node.op_type for node in onnx.load(path, load_external_data=False).graph.node]


@pytest.mark.parametrize("profile", ["portable", "cpu"])
@pytest.mark.parametrize("way", MIXING, ids=lambda way: way.recipe)
@pytest.mark.parametrize("name", FAMILIES)
def test_every_recipe_on_every_architecture(
    tmp_path: Path, engine: Engine, name: str, way: Way, profile: str
) -> None:
    """A quantised file runs, is smaller, and is near the float32 graph."""
    source = artifact_of(family(tmp_path / "m", name), profile)
    made = written(engine, source, tmp_path / "out", Recipe(name=way.recipe))
    assert made.path.name == f"{file_stem(way, profile)}.onnx"
    assert (made.variant.storage, made.variant.profile) == (way.dtype, profile)
    fidelity = compare_vectors(vectors(engine, source), vectors(engine, made))
    assert fidelity.mean > MEAN[way.recipe], fidelity
    assert fidelity.max_abs > 0  # something was rounded


def size(artifact: Artifact) -> int:
    """Bytes of a file and of what lies beside it."""
    name = artifact.path.name
    return sum(file.stat().st_size for file in artifact.path.parent.glob(f"{name}*"))


def test_weights_take_the_bits_that_were_asked_for(tmp_path: Path, engine: Engine) -> None:
    """Tables and linear layers shrink to a quarter, and to an eighth and their scales."""
    source = artifact_of(large_table(tmp_path / "m"), "portable")
    whole = size(source)
    for recipe, share in (("static_int8", 0.36), ("weights_8bit", 0.36), ("weights_4bit", 0.24)):
        made = written(engine, source, tmp_path / recipe, Recipe(name=recipe))
        assert size(made) < share * whole, recipe


def test_dynamic_integers_equal_onnxruntimes_own(tmp_path: Path, engine: Engine) -> None:
    """The same vectors as a file of ``quantize_dynamic`` (signed, per channel, linear layers)."""
    from onnxruntime.quantization import QuantType, quantize_dynamic  # noqa: TID251 - the oracle

    source = artifact_of(build_tiny(tmp_path / "m"), "portable")
    path = tmp_path / "theirs" / "model_quantized.onnx"
    path.parent.mkdir()
    quantize_dynamic(
        source.path,
        path,
        op_types_to_quantize=["MatMul"],
        per_channel=True,
        weight_type=QuantType.QInt8,
        extra_options={"MatMulConstBOnly": True},
    )
    recipe = Recipe(name="dynamic_int8", options={"weight_bits": 8})
    ours = written(engine, source, tmp_path / "ours", recipe)
    theirs = evolve(ours, path=path)
    assert compare_vectors(vectors(engine, theirs), vectors(engine, ours)).lowest > 0.9999


@pytest.mark.parametrize(("recipe", "bits"), [("weights_8bit", 8), ("weights_4bit", 4)])
def test_blocks_are_a_float32_model_with_rounded_weights(
    tmp_path: Path, engine: Engine, recipe: str, bits: int
) -> None:
    """With exact products, blocks give what float32 gives with weights rounded by hand."""
    from hotbed_onnx.quantising.arithmetic import blocks

    def rounded(weight: Floats) -> Floats:
        whole, scales = blocks(weight, bits=bits, size=32)
        back = (whole.astype(np.float32) - 2 ** (bits - 1)) * scales[:, :, None]
        return back.reshape(len(weight), -1)[:, : weight.shape[1]].astype(np.float32)

    plain = bert_tensors(bert_config())
    by_hand = {
        name: rounded(value) if value.ndim == 2 and "embeddings" not in name else value
        for name, value in plain.items()
    }
    source = artifact_of(build_tiny(tmp_path / "a" / "m", tensors=plain), "portable")
    expected = artifact_of(build_tiny(tmp_path / "b" / "m", tensors=by_hand), "portable")
    made = written(
        engine, source, tmp_path / "out", Recipe(name=recipe, options={"accuracy_level": 1})
    )
    np.testing.assert_allclose(vectors(engine, made), vectors(engine, expected), atol=2e-5)


def test_layers_are_named_and_left_out(tmp_path: Path, engine: Engine) -> None:
    """A layer that is said to stay float32 does, and others get the recipe named for them."""
    source = artifact_of(large_table(tmp_path / "m"), "portable")
    layers = engine.layers(source)
    assert layers[0] == Layer(name="embeddings.word", kind="table", inputs=VOCABULARY, outputs=32)
    names = [layer.name for layer in layers if layer.kind == "linear"]
    assert names[0] == "encoder.layer.0.attention.qkv"
    assert len(names) == 8
    plan = {names[0]: "float32", names[1]: "weights_4bit", "embeddings.word": "float32"}
    made = written(
        engine, source, tmp_path / "out", Recipe(name="static_int8", options={"layers": plan})
    )
    found = operators(made.path)
    assert found.count("MatMulNBits") == 1
    assert found.count("QuantizeLinear") == 6
    assert "GatherBlockQuantized" not in found


def test_all_layers_left_out_is_float32(tmp_path: Path, engine: Engine) -> None:
    """With every layer left out, the file gives the float32 vectors to the bit."""
    source = artifact_of(large_table(tmp_path / "m"), "portable")
    plan = {layer.name: "float32" for layer in engine.layers(source)}
    made = written(
        engine, source, tmp_path / "out", Recipe(name="weights_8bit", options={"layers": plan})
    )
    assert np.array_equal(vectors(engine, made), vectors(engine, source))


def test_smoothing_helps_where_channels_differ(tmp_path: Path, engine: Engine) -> None:
    """With a channel a hundred times larger than the others, smoothed integers lose far less."""
    scale = np.ones(32, np.float32)
    scale[5] = 100
    name = "encoder.layer.0.attention.output.LayerNorm.weight"
    folder = large_table(tmp_path / "m", **{name: scale})
    source = artifact_of(folder, "portable")
    wanted = vectors(engine, source)

    def loss(strength: float) -> float:
        recipe = Recipe(name="static_int8", options={"smoothing": strength})
        made = written(engine, source, tmp_path / str(strength), recipe)
        return 1 - compare_vectors(wanted, vectors(engine, made)).mean

    assert loss(0.5) < 0.5 * loss(0)


def test_calibration_sees_no_padding(tmp_path: Path, engine: Engine) -> None:
    """The same texts in one padded batch and one by one give the same file."""
    folder = build_tiny(tmp_path / "m")
    source = artifact_of(folder, "portable")
    tokenizer = Tokenizer.open(read_folder(folder))
    tokens = tokenizer.encode([text for text in TEXTS if text])
    together = [tokenizer.batch(tokens, np.arange(len(tokens.ids)))]
    single = [tokenizer.batch(tokens, np.array([row])) for row in range(len(tokens.ids))]
    recipe = Recipe(name="static_int8")
    made = []
    for place, batches in (("a", together), ("b", single)):
        (tmp_path / place).mkdir()
        (variant,) = engine.quantize(source, recipe, batches, tmp_path / place)
        made.append(evolve(source, path=tmp_path / place / variant.file, variant=variant))
    found = [vectors(engine, one) for one in made]
    np.testing.assert_allclose(found[0], found[1], atol=2e-3)


def poison(path: Path, tensor: str) -> None:
    """Write NaN into a tensor of a file that keeps its weights beside it."""
    import onnx

    model = onnx.load(path, load_external_data=False)
    (proto,) = (item for item in model.graph.initializer if item.name == tensor)
    where = {item.key: item.value for item in proto.external_data}
    with path.with_name(where["location"]).open("r+b") as file:
        file.seek(int(where["offset"]) + 20)
        file.write(np.float32(np.nan).tobytes())


@pytest.mark.parametrize("recipe", [way.recipe for way in RECIPES])
@pytest.mark.parametrize("name", ["embeddings.word", "encoder.layer.1.output.dense.kernel"])
def test_a_weight_that_is_no_number_is_named(
    tmp_path: Path, engine: Engine, name: str, recipe: str
) -> None:
    """NaN in a table or a layer stops the work, and the error names the tensor."""
    source = artifact_of(large_table(tmp_path / "m"), "cpu")
    poison(source.path, name)
    with pytest.raises(ConversionError, match=name):
        written(engine, source, tmp_path / "out", Recipe(name=recipe))


def test_a_quantised_file_is_refused(tmp_path: Path, engine: Engine) -> None:
    """Rounding twice is refused; the message counts the operators that were found."""
    source = artifact_of(build_tiny(tmp_path / "m"), "portable")
    made = written(engine, source, tmp_path / "out", Recipe(name="weights_8bit"))
    with pytest.raises(UsageError, match=r"quantised already \(8 × MatMulNBits\)"):
        written(engine, made, tmp_path / "twice", Recipe(name="static_int8"))


def test_integers_need_texts(tmp_path: Path, engine: Engine) -> None:
    """static_int8 without texts says that it learns from them; the others need none."""
    source = artifact_of(build_tiny(tmp_path / "m"), "portable")
    out = tmp_path / "out"
    out.mkdir()
    with pytest.raises(UsageError, match="learns the ranges of activations from texts"):
        engine.quantize(source, Recipe(name="static_int8"), (), out)
    assert engine.quantize(source, Recipe(name="weights_4bit"), (), out)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"smooth": 1}, r"'smooth' is not an option; options are layers, smoothing"),
        ({"smoothing": 2}, "smoothing=2 is not between 0 and 1"),
        ({"smoothing": "much"}, "smoothing='much' is not between 0 and 1"),
        ({"weight_bits": 6}, "weight_bits=6 is not 7 or 8"),
        ({"accuracy_level": 9}, "accuracy_level=9 is not 0 to 4"),
        ({"layers": {"nobody": "float32"}}, "has no layer nobody; it has 8: encoder"),
        ({"layers": {"x": "int3"}}, "layers cannot be 'int3'"),
        ({"layers": ["x"]}, r"layers=\['x'\] is not a mapping"),
    ],
)
def test_options_that_are_wrong_are_named(
    tmp_path: Path, engine: Engine, options: dict[str, Any], words: str
) -> None:
    """Each mistake is named with what is allowed."""
    source = artifact_of(build_tiny(tmp_path / "m"), "portable")
    with pytest.raises(UsageError, match=words):
        written(engine, source, tmp_path / "out", Recipe(name="static_int8", options=options))


def test_the_whole_graphs_recipe_takes_no_layers(tmp_path: Path, engine: Engine) -> None:
    """float16 is done to the whole graph, and says so."""
    source = artifact_of(build_tiny(tmp_path / "m"), "portable")
    recipe = Recipe(name="float16", options={"layers": {"x": "float32"}})
    with pytest.raises(UsageError, match="float16 takes no layers"):
        written(engine, source, tmp_path / "out", recipe)


def test_files_that_cannot_be_read(tmp_path: Path, engine: Engine) -> None:
    """A missing file, one that is no ONNX, cut-off data and data elsewhere are told apart."""
    source = artifact_of(large_table(tmp_path / "m"), "cpu")
    recipe = Recipe(name="weights_8bit")
    out = tmp_path / "out"
    with pytest.raises(MissingFileError, match="is missing"):
        written(engine, evolve(source, path=tmp_path / "absent.onnx"), out, recipe)
    (tmp_path / "bad.onnx").write_bytes(b"nothing of the kind")
    with pytest.raises(CorruptFileError, match="cannot be read as ONNX"):
        written(engine, evolve(source, path=tmp_path / "bad.onnx"), out, recipe)
    data = source.path.with_name(f"{source.path.name}_data")
    whole = data.read_bytes()
    data.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(CorruptFileError, match=r"is cut off: .* ends at byte"):
        written(engine, source, out, recipe)
    data.unlink()
    with pytest.raises(MissingFileError, match="which is missing"):
        written(engine, source, out, recipe)
    (tmp_path / "elsewhere").write_bytes(whole)
    graph = source.path.read_bytes().replace(
        data.name.encode(), b"../" + b"e" * (len(data.name) - 3)
    )
    inner = tmp_path / "inner"
    inner.mkdir()
    (inner / "model.onnx").write_bytes(graph)
    with pytest.raises(ModelError, match="outside its own folder"):
        written(engine, evolve(source, path=inner / "model.onnx"), out, recipe)


@pytest.mark.parametrize("way", RECIPES, ids=lambda way: way.recipe)
@pytest.mark.parametrize("profile", ["portable", "cpu"])
def test_the_layout_reads_what_the_recipes_write(way: Way, profile: str) -> None:
    """A file's name tells its storage and profile to whoever reads the folder."""
    storage, shaped, _ = onnx_storage(file_stem(way, profile))
    assert (storage, shaped) == (way.dtype, profile)
    assert hotbed.backends.manifest.dtype_name(way.dtype) == way.dtype


def test_cpus_without_vnni_are_told() -> None:
    """On x86 without VNNI 8-bit weights are warned about, 7-bit ones and 8-bit blocks are not."""
    old, new = frozenset({"avx2", "avx512f"}), frozenset({"avx2", "avx512f", "avx512_vnni"})
    assert without_vnni(old)
    assert not without_vnni(new)
    assert not without_vnni(frozenset())  # unknown, or not x86
    variant = Variant(format="onnx", file="model_int8.onnx", storage="int8")
    artifact = Artifact(folder=Path(), path=Path("model_int8.onnx"), variant=variant)
    with pytest.warns(HotbedWarning, match="has no VNNI: it runs slower"):
        warn_of_overflow(artifact, "8", old)
    warn_of_overflow(artifact, "7", old)  # any warning is an error here
    warn_of_overflow(artifact, "8", new)
    warn_of_overflow(evolve(artifact, variant=evolve(variant, storage="w8")), "", old)


def test_seven_bits_leave_room_for_two_products(tmp_path: Path, engine: Engine) -> None:
    """With 7 bits no two products of a byte and a weight pass what 16 bits hold."""
    import onnx

    source = artifact_of(build_tiny(tmp_path / "m"), "portable")
    recipe = Recipe(name="dynamic_int8", options={"weight_bits": 7})
    made = written(engine, source, tmp_path / "out", recipe)
    model = onnx.load(made.path)
    whole = [
        onnx.numpy_helper.to_array(item)
        for item in model.graph.initializer
        if item.data_type == onnx.TensorProto.INT8
    ]
    assert whole
    assert max(int(np.abs(values.astype(int)).max()) for values in whole) * 255 * 2 < 2**15
