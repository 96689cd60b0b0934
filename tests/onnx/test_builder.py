"""Built graphs against ``hotbed.reference``: BERT in float64 numpy, written from the paper."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hotbed import reference
from hotbed.testing import build_tiny
from tests.onnx.reference import build, embed, open_graph, token_batch

PROFILES = ("portable", "cpu")
POOLINGS: dict[str, dict[str, Any]] = {
    "cls": {"pooling_mode_cls_token": True},
    "max": {"pooling_mode_max_tokens": True},
    "mean": {"pooling_mode_mean_tokens": True},
    "sqrt": {"pooling_mode_mean_sqrt_len_tokens": True},
    "weighted": {"pooling_mode_weightedmean_tokens": True},
    "last": {"pooling_mode_lasttoken": True},
    "joined": {"pooling_mode": ["lasttoken", "cls", "weightedmean", "max"]},
}
HEADS: dict[str, tuple[tuple[str, ...], dict[str, Any]]] = {
    "none": ((), {}),
    "normalize": (("Normalize",), {}),
    "dense": (("Dense",), {}),
    "no bias": (("Dense", "Normalize"), {"bias": False}),
    "everything": (("Dropout", "LayerNorm", "Dense", "Normalize"), {}),
}
TORCH = "torch.nn.modules"
ACTIVATIONS = ("linear.Identity", *(f"activation.{n}" for n in ("GELU", "ReLU", "SiLU", "Sigmoid")))


def assert_equal_to_the_reference(folder: Path, profile: str, prompt: str = "") -> None:
    """Sentences and tokens of the graph are those of the reference, within 2e-5."""
    path, batch = build(folder, profile), token_batch(folder, prompt)
    expected = reference.sentence_embedding(folder, batch)
    np.testing.assert_allclose(embed(path, batch), expected, rtol=2e-5, atol=2e-5)
    tokens = reference.token_embeddings(folder, batch)
    real = batch.attention_mask == 1
    found = embed(path, batch, "token_embeddings")
    np.testing.assert_allclose(found[real], tokens[real], rtol=2e-5, atol=2e-5)


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("heads", HEADS)
@pytest.mark.parametrize("pooling", POOLINGS)
def test_every_pooling_with_every_head(
    tmp_path: Path, pooling: str, heads: str, profile: str
) -> None:
    """Each pooling, with each form of head, in each profile, equals the reference."""
    names, dense = HEADS[heads]
    folder = build_tiny(tmp_path / "m", pooling=POOLINGS[pooling], heads=names, dense=dense)
    assert_equal_to_the_reference(folder, profile)


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("pooling", POOLINGS)
def test_padding_on_the_left(tmp_path: Path, pooling: str, profile: str) -> None:
    """Left padding pools the same tokens."""
    folder = build_tiny(tmp_path / "m", pooling=POOLINGS[pooling], padding_side="left")
    assert_equal_to_the_reference(folder, profile)


@pytest.mark.parametrize("pooling", [name for name in POOLINGS if name != "max"])
def test_a_prompt_left_out_of_pooling(tmp_path: Path, pooling: str) -> None:
    """The tuned graph takes the pooling mask as an input and leaves the prompt's tokens out."""
    settings = {**POOLINGS[pooling], "include_prompt": False}
    folder = build_tiny(tmp_path / "m", pooling=settings, heads=())
    assert open_graph(build(folder, "cpu")).takes_pooling_mask
    assert_equal_to_the_reference(folder, "cpu", prompt="query : ")


def test_the_portable_graph_has_no_input_of_hotbeds_own(tmp_path: Path) -> None:
    """A portable graph takes what every hub reader feeds, so it pools the prompt too."""
    pooling = {"pooling_mode_mean_tokens": True, "include_prompt": False}
    folder = build_tiny(tmp_path / "m", pooling=pooling)
    path = build(folder, "portable")
    assert not open_graph(path).takes_pooling_mask
    inputs = importlib.import_module("onnx").load(path).graph.input
    assert {item.name for item in inputs} == {"input_ids", "attention_mask"}


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_activations_of_dense(tmp_path: Path, activation: str, profile: str) -> None:
    """Each activation class that sentence-transformers saves is computed."""
    dense = {"activation_function": f"{TORCH}.{activation}"}
    assert_equal_to_the_reference(
        build_tiny(tmp_path / "m", heads=("Dense",), dense=dense), profile
    )


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("width", [24, 32])
def test_residual_dense(tmp_path: Path, width: int, profile: str) -> None:
    """A residual Dense adds its input, through a matrix where the widths differ."""
    dense = {"use_residual": True, "out_features": width}
    folder = build_tiny(tmp_path / "m", heads=("Dense",), dense=dense)
    assert_equal_to_the_reference(folder, profile)


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("activation", ["gelu_new", "relu", "silu", "tanh"])
def test_activations_of_the_encoder(tmp_path: Path, activation: str, profile: str) -> None:
    """``hidden_act`` is followed."""
    folder = build_tiny(tmp_path / "m", config={"hidden_act": activation})
    assert_equal_to_the_reference(folder, profile)


@pytest.mark.parametrize("profile", PROFILES)
def test_one_graph_serves_every_shape(tmp_path: Path, profile: str) -> None:
    """Batch and length are free: the rows of a batch, one by one and unpadded, are the same."""
    folder = build_tiny(tmp_path / "m")
    path, batch = build(folder, profile), token_batch(folder)
    whole = embed(path, batch)
    for row in range(len(whole)):
        kept = slice(row, row + 1), slice(0, int(batch.attention_mask[row].sum()))
        alone = type(batch)(
            input_ids=np.ascontiguousarray(batch.input_ids[kept]),
            attention_mask=np.ascontiguousarray(batch.attention_mask[kept]),
            pooling_mask=np.ascontiguousarray(batch.pooling_mask[kept]),
        )
        np.testing.assert_allclose(embed(path, alone)[0], whole[row], atol=1e-5)
