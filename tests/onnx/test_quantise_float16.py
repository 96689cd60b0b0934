"""float16: the same vectors from half the bytes, and nothing that overflows.

Oracles: the float32 graph; and for plain operators ONNX's reference evaluator, which computes each
of them in numpy's own float16, where runtimes for CPUs widen most to float32. Warnings are errors
in these tests, so an overflow that numpy notices is one.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from attrs import evolve
from numpy.typing import NDArray

import hotbed
from hotbed.backends import TokenBatch
from hotbed.backends.values import POOLING_MODES
from hotbed.errors import ConversionError, UnsupportedModelError
from hotbed.inference.tokenisation import Tokenizer
from hotbed.models import read_folder
from hotbed.testing import TEXTS, build_tiny
from hotbed.testing.tiny_batches import KINDS, make_batch
from hotbed.testing.tiny_families import TINY, build_family
from hotbed.testing.tiny_m3 import build_m3
from hotbed_onnx import FAMILIES
from hotbed_onnx.graph import Graph
from hotbed_onnx.quantising.float16 import to_float16
from hotbed_onnx.quantising.source import read_graph
from hotbed_onnx.runtime import import_onnxruntime
from hotbed_onnx.writing import save
from tests.default_model import require_default_model
from tests.onnx.family import PROFILES
from tests.onnx.reference import build

SHARED = os.environ.get("HOTBED_HOME", "")

FLOAT, FLOAT16 = 1, 10

LEAST = dict.fromkeys(FAMILIES, 0.9999)
# Rounding its random weights alone takes 3e-5 of the tiny Gemma, whose scores are far apart.
LEAST["gemma3_text"] = 0.9998


def half(path: Path) -> Path:
    """Convert a file, and give the new one."""
    source, out = read_graph(path), path.with_name(f"{path.stem}_fp16.onnx")
    to_float16(source.graph)
    save(source.graph, out, external=False, metadata=source.metadata)
    return out


def load_model(path: Path) -> Any:
    """The file as ONNX reads it."""
    return importlib.import_module("onnx").load(path)


def run(path: Path, batch: TokenBatch) -> dict[str, NDArray[Any]]:
    """Every output of a graph in ONNX Runtime itself: hotbed opens no graph with loops."""
    session = import_onnxruntime().InferenceSession(path, providers=["CPUExecutionProvider"])
    feeds = {item.name: getattr(batch, item.name) for item in session.get_inputs()}
    names = [item.name for item in session.get_outputs()]
    return dict(zip(names, session.run(None, feeds), strict=True))


def evaluate(path: Path, **feeds: Any) -> dict[str, NDArray[Any]]:
    """Every output of a graph in numpy."""
    evaluator = importlib.import_module("onnx.reference").ReferenceEvaluator(str(path))
    return dict(zip(evaluator.output_names, evaluator.run(None, feeds), strict=True))


def batches(family: str) -> dict[str, TokenBatch]:
    """Every kind of batch that the family's tiny model takes."""
    config = TINY[family].config()
    sizes = {"vocab": config["vocab_size"], "pad_id": config["pad_token_id"]}
    return {kind: make_batch(kind, longest=16, **sizes) for kind in KINDS}


def lowest_cosine(a: NDArray[Any], b: NDArray[Any]) -> float:
    """Of the rows of a to those of b, in float64."""
    a, b = (np.asarray(x, np.float64).reshape(-1, x.shape[-1]) for x in (a, b))
    lengths = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    return float(((a * b).sum(axis=1) / lengths).min())


def assert_near(found: Mapping[str, Any], wanted: Mapping[str, Any], least: float) -> None:
    """Every output is finite float32, and the sentence's vectors point where they did."""
    assert list(found) == list(wanted)
    for name, array in found.items():
        assert array.dtype == np.float32, name
        assert np.isfinite(array).all(), name
    assert lowest_cosine(found["sentence_embedding"], wanted["sentence_embedding"]) >= least


def branches(nodes: Any) -> list[Any]:
    """The nodes, and those of their branches, each after what it uses."""
    found = []
    for node in nodes:
        for item in node.attribute:
            found += branches(item.g.node)
        found.append(node)
    return found


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("family", FAMILIES)
def test_vectors_stay_what_they_are(tmp_path: Path, family: str, profile: str) -> None:
    """On every kind of batch, padded on either side, and for a text of which nothing is left."""
    path = build(build_family(tmp_path / "m", family), profile)
    out = half(path)
    for batch in batches(family).values():
        assert_near(run(out, batch), run(path, batch), LEAST[family])
    nothing = np.zeros_like(batch.attention_mask[:1])
    empty = evolve(batch, input_ids=batch.input_ids[:1], attention_mask=nothing)
    for name, array in run(out, evolve(empty, pooling_mask=nothing)).items():
        assert np.isfinite(array).all(), name


@pytest.mark.parametrize("family", FAMILIES)
def test_in_true_float16_too(tmp_path: Path, family: str) -> None:
    """numpy, which rounds after each operator, overflows nowhere and gives the same vectors."""
    path = build(build_family(tmp_path / "m", family), "portable")
    out = half(path)
    for batch in batches(family).values():
        feeds = {"input_ids": batch.input_ids, "attention_mask": batch.attention_mask}
        assert_near(evaluate(out, **feeds), run(path, batch), LEAST[family])


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("family", FAMILIES)
def test_weights_take_half_the_room(tmp_path: Path, family: str, profile: str) -> None:
    """Kernels and tables are float16; nothing is left over, and nothing is cast to and fro."""
    path = build(build_family(tmp_path / "m", family), profile)
    before, after = load_model(path), load_model(half(path))
    kinds = {item.name: item.data_type for item in after.graph.initializer}
    tables = [item for item in before.graph.initializer if len(item.dims) > 1]
    floats = [item.name for item in tables if item.data_type == FLOAT]
    assert floats
    assert {kinds[name] for name in floats} == {FLOAT16}
    nodes = branches(after.graph.node)
    used = {name for node in nodes for name in node.input}
    used |= {item.name for item in after.graph.output}
    used |= {item.name for n in nodes for a in n.attribute for item in a.g.output}
    assert used >= set(kinds)
    assert all(used & set(node.output) for node in nodes)
    casts = {n.output[0]: n for n in nodes if n.op_type == "Cast" and n.attribute[0].i in (1, 10)}
    assert [name for name, node in casts.items() if node.input[0] in casts] == []


@pytest.mark.parametrize("family", FAMILIES)
def test_the_portable_graph_stays_valid(tmp_path: Path, family: str) -> None:
    """ONNX's own checker finds every type in place; inputs and outputs are declared as before."""
    onnx = importlib.import_module("onnx")
    path = build(build_family(tmp_path / "m", family), "portable")
    before, after = load_model(path), load_model(half(path))
    onnx.checker.check_model(after, full_check=True)
    assert list(after.graph.input) == list(before.graph.input)
    assert list(after.graph.output) == list(before.graph.output)


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("mode", POOLING_MODES)
def test_every_pooling(tmp_path: Path, mode: str, profile: str) -> None:
    """With a prompt left out, of which one text has nothing left, it is as in float32."""
    pooling = {"pooling_mode": mode, "include_prompt": False}
    folder = build_tiny(tmp_path / "m", pooling=pooling, heads=())
    path = build(folder, profile)
    tokenizer = Tokenizer.open(read_folder(folder))
    tokens = tokenizer.encode(TEXTS, "the small cat", drop_prompt=True)
    batch = tokenizer.batch(tokens, np.arange(len(TEXTS)))
    found, wanted = run(half(path), batch), run(path, batch)
    for name in found:
        np.testing.assert_allclose(found[name], wanted[name], atol=0.02, rtol=0.01, err_msg=name)


@pytest.mark.parametrize("profile", PROFILES)
def test_the_heads_of_m3(tmp_path: Path, profile: str) -> None:
    """Weights and vectors of tokens are near, and zero on padding as they were."""
    path = build(build_m3(tmp_path / "m"), profile)
    batch = batches("xlm-roberta")["left padding"]
    found, wanted = run(half(path), batch), run(path, batch)
    for name in ("sparse", "colbert"):
        np.testing.assert_allclose(found[name], wanted[name], atol=0.01, err_msg=name)
        assert (found[name][batch.attention_mask == 0] == 0).all()


@pytest.mark.parametrize("profile", PROFILES)
def test_angles_are_computed_in_float32(tmp_path: Path, profile: str) -> None:
    """Where the graph computes angles, far positions are not rounded: GTE's dynamic scaling."""
    scaling = {"type": "dynamic", "factor": 2.0}
    config = {"rope_scaling": scaling, "max_position_embeddings": 3_000}
    folder = build_family(tmp_path / "m", "new", config=config, max_seq_length=4_000)
    path = build(folder, profile)
    batch = make_batch("one token", vocab=40, longest=1)
    rng = np.random.default_rng(0)
    ids = rng.integers(4, 40, (1, 3_100))
    batch = TokenBatch(
        input_ids=ids, attention_mask=np.ones_like(ids), pooling_mask=np.ones_like(ids)
    )
    found, wanted = run(half(path), batch), run(path, batch)
    assert lowest_cosine(found["last_hidden_state"], wanted["last_hidden_state"]) >= 0.9998
    assert_near(found, wanted, 0.9999)


def test_tokens_are_cast_once(tmp_path: Path) -> None:
    """The mask for pooling, and the last layer for pooling and output alike."""
    path = half(build(build_family(tmp_path / "m", "bert"), "portable"))
    casts = [node for node in load_model(path).graph.node if node.op_type == "Cast"]
    assert [node.input[0].split("_")[0] for node in casts] == ["LayerNormalization", "attention"]


def test_half_twice_is_half(tmp_path: Path) -> None:
    """A graph that is float16 already stays as it is."""
    once = half(build(build_family(tmp_path / "m", "qwen3"), "cpu"))
    assert load_model(half(once)).graph == load_model(once).graph


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (70_000.0, ("70,000", "65,504")),
        (-1e30, ("-1e+30", "65,504")),
        (np.nan, ("NaN",)),
        (-np.inf, ("infinity",)),
    ],
)
def test_a_weight_that_does_not_fit_is_refused(
    tmp_path: Path, value: float, words: tuple[str, ...]
) -> None:
    """The tensor is named, and its value; nothing is clamped."""
    path = build(build_family(tmp_path / "m", "bert"), "cpu")
    source = read_graph(path)
    name = "encoder.layer.1.output.dense.kernel"
    broken = np.zeros(source.graph.tensors[name].shape, np.float32)
    broken[3, 5] = value
    source.graph.tensors[name] = evolve(source.graph.tensors[name], read=lambda rows: broken[rows])
    to_float16(source.graph)
    with pytest.raises(ConversionError) as caught:
        save(source.graph, tmp_path / "out.onnx", external=False, metadata={})
    assert all(word in str(caught.value) for word in (name, *words))


def graph_of(**tensors: Any) -> Graph:
    """A graph that takes (batch, tokens) numbers, with weights, and without nodes."""
    graph = Graph(name="foreign", opset=17)
    graph.input("input_ids", "int64", ("batch", "tokens"))
    graph.input("attention_mask", "int64", ("batch", "tokens"))
    for name, values in tensors.items():
        array = np.asarray(values)
        graph.weight(name, array.shape, partial(np.asarray, array), array.dtype.name)
    return graph


def written(graph: Graph, path: Path, value: str, shape: tuple[Any, ...]) -> tuple[Path, Path]:
    """The graph in float32, and in float16."""
    graph.output(value, "out", "float32", shape)
    save(graph, path, external=False, metadata={})
    return path, half(path)


def test_a_large_table_is_read_by_rows(tmp_path: Path) -> None:
    """Converting reads nothing; writing reads a table some rows at a time."""
    read: list[int] = []

    def rows(chosen: slice) -> NDArray[np.float32]:
        read.append(chosen.stop - chosen.start)
        return np.full((read[-1], 512), 0.5, np.float32)

    graph = graph_of()
    graph.table("words", (100_000, 512), rows)
    found = graph.op("Gather", "words", "input_ids", axis=0)
    graph.output(found, "out", "float32", ("batch", "tokens", 512))
    to_float16(graph)
    assert read == []
    save(graph, tmp_path / "out.onnx", external=False, metadata={})
    assert sum(read) == 100_000
    assert max(read) < 50_000
    assert 102e6 < (tmp_path / "out.onnx").stat().st_size < 103e6


IDS = np.array([[1, 2, 3, 4], [5, 6, 0, 0], [7, 0, 0, 0]])
FEEDS = {"input_ids": IDS, "attention_mask": (IDS > 0).astype(np.int64)}


def both(paths: tuple[Path, Path]) -> tuple[NDArray[Any], NDArray[Any]]:
    """What numpy makes of a graph in float32 and in float16, the latter as ONNX Runtime does."""
    wide, narrow = (evaluate(path, **FEEDS)["out"] for path in paths)
    batch = TokenBatch(**FEEDS, pooling_mask=FEEDS["attention_mask"])
    np.testing.assert_allclose(narrow, run(paths[1], batch)["out"], rtol=0.01, atol=0.01)
    assert narrow.dtype == np.float32
    return wide, narrow


def table(size: float = 1.0) -> NDArray[np.float32]:
    """Rows of (8, 4) float32 numbers."""
    return (np.random.default_rng(0).normal(size=(8, 4)) * size).astype(np.float32)


@pytest.mark.parametrize("lowest", [float(np.finfo(np.float32).min), -np.inf, -1e9])
@pytest.mark.parametrize("kind", ["chosen", "multiplied", "table"])
def test_a_mask_stays_finite(tmp_path: Path, kind: str, lowest: float) -> None:
    """However an exporter writes a mask, what it hides has no weight, and no row is NaN."""
    graph = graph_of(table=table(), lowest=np.float32(lowest), zero=np.float32(0))
    x = graph.op("Gather", "table", "input_ids", axis=0)
    scores = graph.op("MatMul", x, graph.op("Transpose", x, perm=[0, 2, 1]))
    axis = graph.constant([1], "int64")
    if kind == "chosen":
        seen = graph.op("Unsqueeze", graph.op("Cast", "attention_mask", to=9), axis)
        scores = graph.op("Where", seen, scores, "lowest")
    elif kind == "multiplied":
        hidden = graph.op("Sub", graph.constant(1, "int64"), "attention_mask")
        hidden = graph.op("Unsqueeze", graph.op("Cast", hidden, to=1), axis)
        if lowest == -np.inf:
            return  # no exporter writes that: 0 · -inf is NaN in float32 as well
        scores = graph.op("Add", scores, graph.op("Mul", hidden, "lowest"))
    else:
        later = np.triu(np.full((4, 4), lowest, np.float32), 1) if lowest > -np.inf else None
        later = np.where(np.triu(np.ones((4, 4)), 1) > 0, lowest, 0) if later is None else later
        graph.weight("causal", (4, 4), lambda: later.astype(np.float32))
        scores = graph.op("Add", scores, "causal")
    weights = graph.op("Softmax", scores, axis=-1)
    wide, narrow = both(written(graph, tmp_path / "m.onnx", weights, ("batch", 4, 4)))
    np.testing.assert_allclose(narrow, wide, atol=0.005)
    assert (narrow[wide == 0] == 0).all()


@pytest.mark.parametrize("kind", ["sum", "product"])
def test_sums_of_many_tokens_do_not_overflow(tmp_path: Path, kind: str) -> None:
    """A mean passes 65,504 on the way, whether it is written as a sum over tokens or a product."""
    graph = graph_of(table=table() + np.float32(30_000), floor=np.float32(1e-9))
    x = graph.op("Gather", "table", "input_ids", axis=0)
    one, two = graph.constant([1], "int64"), graph.constant([2], "int64")
    if kind == "sum":
        mask = graph.op("Cast", graph.op("Unsqueeze", "attention_mask", two), to=1)
        total = graph.op("ReduceSum", graph.op("Mul", x, mask), one, keepdims=0)
        count = graph.op("ReduceSum", mask, one, keepdims=0)
    else:
        mask = graph.op("Cast", "attention_mask", to=1)
        product = graph.op("MatMul", graph.op("Unsqueeze", mask, one), x)
        total = graph.op("Squeeze", product, one)
        count = graph.op("ReduceSum", mask, one, keepdims=1)
    mean = graph.op("Div", total, graph.op("Max", count, "floor"))
    wide, narrow = both(written(graph, tmp_path / "m.onnx", mean, ("batch", 4)))
    np.testing.assert_allclose(narrow, wide, rtol=1e-3)


def test_a_floor_that_float16_does_not_hold(tmp_path: Path) -> None:
    """1e-12 would be 0 in float16, and 0 / 0 is NaN."""
    rows = table() * np.array([0, 1, 1, 1], np.float32)
    graph = graph_of(table=rows, floor=np.float32(1e-12))
    x = graph.op("Gather", "table", "input_ids", axis=0)
    x = graph.op("Div", x, graph.op("Max", graph.op("Abs", x), "floor"))
    wide, narrow = both(written(graph, tmp_path / "m.onnx", x, ("batch", "tokens", 4)))
    np.testing.assert_allclose(narrow, wide, rtol=1e-3)


def test_a_factor_that_float16_does_not_hold(tmp_path: Path) -> None:
    """What is multiplied with 1e6 stays float32 while it is only moved, until it is divided."""
    graph = graph_of(table=table(), factor=np.float32(1e6))
    x = graph.op("Gather", "table", "input_ids", axis=0)
    moved = graph.op("Transpose", graph.op("Mul", x, "factor"), perm=[0, 2, 1])
    x = graph.op("Div", moved, "factor")
    wide, narrow = both(written(graph, tmp_path / "m.onnx", x, ("batch", 4, "tokens")))
    np.testing.assert_allclose(narrow, wide, rtol=1e-3)


@pytest.mark.parametrize("profile", PROFILES)
def test_residual_streams_of_language_models(tmp_path: Path, profile: str) -> None:
    """RMS norms, and the sums between them, are float32: these streams pass 65,504."""
    path = half(build(build_family(tmp_path / "m", "qwen3"), profile))
    graph = load_model(path).graph
    kinds = {item.name: item.data_type for item in graph.initializer}
    scales = [name for name in kinds if name.endswith("norm.weight")]
    assert {kinds[name] for name in scales} == {FLOAT}
    makers = {name: node for node in graph.node for name in node.output}
    products = [node for node in graph.node if "mlp.down_proj.kernel" in "".join(node.input)]
    for product in products:
        (cast,) = [node for node in graph.node if product.output[0] in node.input]
        (total,) = [node for node in graph.node if cast.output[0] in node.input]
        assert (cast.op_type, cast.attribute[0].i, total.op_type) == ("Cast", FLOAT, "Add")
        assert makers[total.input[0]].op_type == "Add"


def test_limits_beyond_float16_limit_nothing(tmp_path: Path) -> None:
    """A floor at the lowest float32 becomes the lowest float16, and not a mask's number."""
    lowest = np.finfo(np.float32).min
    graph = graph_of(table=table(10_000), lowest=lowest, highest=-lowest)
    x = graph.op("Gather", "table", "input_ids", axis=0)
    x = graph.op("Max", graph.op("Clip", x, "lowest", "highest"), "lowest")
    wide, narrow = both(written(graph, tmp_path / "m.onnx", x, ("batch", "tokens", 4)))
    np.testing.assert_allclose(narrow, wide, rtol=1e-3)
    stored = load_model(tmp_path / "m_fp16.onnx").graph.initializer
    assert {item.name: item.data_type for item in stored} == dict.fromkeys(
        ("table", "lowest", "highest"), FLOAT16
    )


def test_a_number_beside_others_is_no_mask(tmp_path: Path) -> None:
    """A table that is added is a mask if it holds nothing else than zero and such numbers."""
    positions = table()[:4]
    positions[1, 2] = -1e9
    graph = graph_of(table=table(), positions=positions)
    x = graph.op("Add", graph.op("Gather", "table", "input_ids", axis=0), "positions")
    with pytest.raises(ConversionError, match=r"positions holds -1e\+09"):
        written(graph, tmp_path / "m.onnx", x, ("batch", 4, 4))


@pytest.mark.parametrize("size", [1e-4, 1.0, 3_000.0])
def test_norms_in_plain_operators_keep_their_range(tmp_path: Path, size: float) -> None:
    """Squares of 3,000 overflow and those of 1e-4 vanish; float32 holds both, and 1e-12."""
    graph = graph_of(table=table(size), two=np.float32(2), eps=np.float32(1e-12))
    x = graph.op("Gather", "table", "input_ids", axis=0)
    mean = graph.op("ReduceMean", x, axes=[-1], keepdims=1)
    centred = graph.op("Sub", x, mean)
    square = graph.op("ReduceMean", graph.op("Pow", centred, "two"), axes=[-1], keepdims=1)
    normed = graph.op("Div", centred, graph.op("Sqrt", graph.op("Add", square, "eps")))
    wide, narrow = both(written(graph, tmp_path / "m.onnx", normed, ("batch", "tokens", 4)))
    np.testing.assert_allclose(narrow, wide, atol=0.005)


def test_branches_and_loops(tmp_path: Path) -> None:
    """Constants inside branches of one name, and a loop that uses an activation from outside."""
    helper = importlib.import_module("onnx.helper")
    numpy_helper = importlib.import_module("onnx.numpy_helper")

    def branch(factor: float, *, inside: bool) -> Any:
        number = numpy_helper.from_array(np.float32(factor), "factor")
        nodes = [
            helper.make_node("Mul", ["x", "factor"], ["longer"]),
            helper.make_node("Relu", ["longer"], ["scaled"]),
        ]
        if not inside:
            nodes.insert(0, helper.make_node("Constant", [], ["factor"], value=number))
        out = helper.make_tensor_value_info("scaled", FLOAT, None)
        known = [helper.make_tensor_value_info("longer", FLOAT, None)]
        held = [number] if inside else []
        return helper.make_graph(nodes, "branch", [], [out], held, value_info=known)

    graph = graph_of(table=table(), rounds=np.int64(3), go=np.array(True))
    graph.op("Gather", "table", "input_ids", axis=0, out="x")
    first = graph.op("ReduceMin", "attention_mask", keepdims=0)
    chosen = graph.op(
        "If",
        graph.op("Cast", first, to=9),
        then_branch=branch(2.0, inside=True),
        else_branch=branch(0.5, inside=False),
    )
    body = helper.make_graph(
        [
            helper.make_node("Identity", ["still"], ["on"]),
            helper.make_node("Add", ["held", "x"], ["more"]),
        ],
        "body",
        [
            helper.make_tensor_value_info("round", 7, []),
            helper.make_tensor_value_info("still", 9, []),
            helper.make_tensor_value_info("held", FLOAT, None),
        ],
        [
            helper.make_tensor_value_info("on", 9, []),
            helper.make_tensor_value_info("more", FLOAT, None),
        ],
    )
    grown = graph.op("Loop", "rounds", "go", chosen, body=body)
    wide, narrow = both(written(graph, tmp_path / "m.onnx", grown, ("batch", "tokens", 4)))
    np.testing.assert_allclose(narrow, wide, rtol=0.005, atol=0.005)
    x = table()[IDS]
    np.testing.assert_allclose(wide, np.maximum(x, 0) * 0.5 + 3 * x, rtol=1e-5, atol=1e-5)
    (node,) = [
        node for node in load_model(tmp_path / "m_fp16.onnx").graph.node if node.op_type == "If"
    ]
    assert [len(item.g.initializer) for item in node.attribute] == [0, 0]


def test_a_branch_that_gives_a_constant(tmp_path: Path) -> None:
    """What a branch did not make it gives as it is."""
    helper = importlib.import_module("onnx.helper")
    numpy_helper = importlib.import_module("onnx.numpy_helper")
    out = helper.make_tensor_value_info("scaled", FLOAT, None)
    scaled = [helper.make_node("Neg", ["x"], ["scaled"])]
    fixed = numpy_helper.from_array(np.full((1, 1, 1), 0.5, np.float32), "scaled")
    graph = graph_of(table=table())
    graph.op("Gather", "table", "input_ids", axis=0, out="x")
    chosen = graph.op(
        "If",
        graph.op("Cast", graph.op("ReduceMin", "attention_mask", keepdims=0), to=9),
        then_branch=helper.make_graph(scaled, "then", [], [out]),
        else_branch=helper.make_graph([], "else", [], [out], [fixed]),
    )
    x = graph.op("Add", chosen, "x")
    wide, narrow = both(written(graph, tmp_path / "m.onnx", x, ("batch", "tokens", 4)))
    np.testing.assert_allclose(narrow, wide, atol=1e-3)
    np.testing.assert_allclose(wide, table()[IDS] + 0.5, atol=1e-6)


def test_a_weight_that_is_an_output(tmp_path: Path) -> None:
    """It is given in float32 as it was, and used in float16."""
    graph = graph_of(table=table())
    x = graph.op("Gather", "table", "input_ids", axis=0)
    graph.output(x, "out", "float32", ("batch", "tokens", 4))
    graph.outputs.append(
        importlib.import_module("onnx.helper").make_tensor_value_info("table", FLOAT, [8, 4])
    )
    save(graph, tmp_path / "m.onnx", external=False, metadata={})
    found = evaluate(half(tmp_path / "m.onnx"), **FEEDS)
    np.testing.assert_array_equal(found["table"], table())
    np.testing.assert_allclose(found["out"], table()[IDS], rtol=1e-3, atol=1e-6)


def test_an_operator_of_nobodys_is_refused(tmp_path: Path) -> None:
    """Nobody knows what it gives; it is named."""
    graph = graph_of(table=table())
    x = graph.op("Gather", "table", "input_ids", axis=0)
    graph.op("Blend", x, domain="acme")
    with pytest.raises(UnsupportedModelError, match="acme:Blend"):
        to_float16(graph)


@pytest.mark.parametrize("profile", PROFILES)
def test_the_default_model(tmp_path: Path, profile: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """all-MiniLM-L6-v2 keeps every vector within 0.9999, in half the bytes."""
    monkeypatch.setenv("HOTBED_HOME", SHARED or os.environ["HOTBED_HOME"])
    require_default_model()
    with hotbed.load("all-MiniLM-L6-v2", local_files_only=True) as model:
        folder = model.folder
    path = tmp_path / "m.onnx"
    importlib.import_module("hotbed_onnx").build_model(folder, path, profile=profile)
    tokenizer = Tokenizer.open(folder)
    texts = [*TEXTS, *(" ".join(TEXTS[:count]) for count in (3, 5, 8))]
    batch = tokenizer.batch(tokenizer.encode(texts), np.arange(len(texts)))
    out = half(path)
    assert_near(run(out, batch), run(path, batch), 0.9999)
    whole = sum(file.stat().st_size for file in tmp_path.glob("m.onnx*"))
    assert out.stat().st_size < 0.51 * whole
