"""What holds of every family's graph, whatever its architecture."""

from __future__ import annotations

import importlib
from pathlib import Path

import numpy as np
import pytest

from hotbed.backends import TokenBatch
from hotbed.errors import UnsupportedModelError
from hotbed.reference import FORWARDS
from hotbed.testing.tiny_batches import make_batch
from hotbed.testing.tiny_families import TINY, build_family
from hotbed_onnx import FAMILIES
from tests.onnx.family import PROFILES, open_both
from tests.onnx.reference import build

NEWEST_OPSET = 18  # what browsers' runtimes are sure to know


def test_every_family_has_a_reference_and_a_tiny_model() -> None:
    """No family is built without a numpy forward to hold it to, and a model to test it on."""
    assert set(FAMILIES) == set(FORWARDS) == set(TINY)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_portable_graph_holds_standard_operators_only(tmp_path: Path, family: str) -> None:
    """ONNX's own checker takes it, and it names no domain and no opset beyond what is promised."""
    onnx = importlib.import_module("onnx")
    model = onnx.load(build(build_family(tmp_path / "m", family), "portable"))
    onnx.checker.check_model(model, full_check=True)
    assert [(entry.domain, entry.version <= NEWEST_OPSET) for entry in model.opset_import] == [
        ("", True)
    ]
    assert [item.name for item in model.graph.input] == ["input_ids", "attention_mask"]


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("family", FAMILIES)
def test_nothing_in_a_graph_is_idle(tmp_path: Path, family: str, profile: str) -> None:
    """Every node and every weight leads to an output."""
    onnx = importlib.import_module("onnx")
    graph = onnx.load(build(build_family(tmp_path / "m", family), profile)).graph
    branches = [a.g.node for node in graph.node for a in node.attribute if a.HasField("g")]
    used = {name for nodes in [graph.node, *branches] for node in nodes for name in node.input}
    used |= {item.name for item in graph.output}
    idle = [node.name for node in graph.node if not used & set(node.output)]
    assert idle == []
    assert [item.name for item in graph.initializer if item.name not in used] == []


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("family", FAMILIES)
def test_a_row_does_not_know_its_batch(tmp_path: Path, family: str, profile: str) -> None:
    """Each text alone and unpadded gives the vector that it gives in a batch."""
    folder = build_family(tmp_path / "m", family)
    ask, config = open_both(build(folder, profile)), TINY[family].config()
    batch = make_batch(
        "right padding", vocab=config["vocab_size"], longest=30, pad_id=config["pad_token_id"]
    )
    _, whole = ask(batch)
    for row, ids in enumerate(batch.input_ids):
        alone = np.ascontiguousarray(ids[None, : int(batch.attention_mask[row].sum())])
        mask = np.ones_like(alone)
        _, vector = ask(TokenBatch(input_ids=alone, attention_mask=mask, pooling_mask=mask))
        np.testing.assert_allclose(vector[0], whole[row], atol=2e-5)


def test_an_unknown_family_is_refused_with_those_known(tmp_path: Path) -> None:
    """The families known are named, and who may be able to help."""
    folder = build_family(tmp_path / "m", "bert", config={"model_type": "mamba"})
    with pytest.raises(UnsupportedModelError) as caught:
        build(folder, "cpu")
    assert all(family in str(caught.value) for family in FAMILIES)
    assert "PyTorch" in str(caught.value)
