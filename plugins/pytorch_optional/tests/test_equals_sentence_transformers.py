"""Vectors are those of sentence-transformers, which opens the same folder."""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import hotbed
from hotbed.backends.values import POOLING_MODES
from hotbed.errors import SourceError
from hotbed.models.modules import ACTIVATIONS
from hotbed.testing import build_tiny
from hotbed.testing.tiny_families import TINY, build_family

pytestmark = pytest.mark.filterwarnings(
    "ignore:.* texts are longer than:hotbed.errors.HotbedWarning"
)

FAMILIES = ("bert", "distilbert", "mpnet", "modernbert", "xlm-roberta", "gte", "gemma3_text")
MIXED = {"pooling_mode": list(reversed(POOLING_MODES))}

Both = Callable[[Path], Any]


@pytest.mark.parametrize("side", ["right", "left"])
@pytest.mark.parametrize("mode", POOLING_MODES)
def test_a_pooling_mode(tmp_path: Path, pair: Both, mode: str, side: str) -> None:
    """Each mode gives the oracle's vectors, wherever the padding is."""
    folder = build_tiny(tmp_path / "m", pooling={"pooling_mode": mode}, heads=(), padding_side=side)
    pair(folder).agree()


def test_modes_joined(tmp_path: Path, pair: Both) -> None:
    """All modes in one vector, last first, are the oracle's."""
    pair(build_tiny(tmp_path / "m", pooling=MIXED, heads=())).agree()


@pytest.mark.parametrize("residual", [False, True])
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_a_dense_head(tmp_path: Path, pair: Both, activation: str, residual: bool) -> None:
    """Dense, LayerNorm and Normalize after the pooling give the oracle's vectors."""
    dense = {"activation_function": activation, "use_residual": residual}
    heads = ("Dense", "Dropout", "LayerNorm", "Normalize")
    pair(build_tiny(tmp_path / "m", heads=heads, dense=dense)).agree()


@pytest.mark.parametrize("side", ["right", "left"])
@pytest.mark.parametrize("mode", POOLING_MODES)
def test_a_prompt_left_out_of_pooling(tmp_path: Path, pair: Both, mode: str, side: str) -> None:
    """Where pooling leaves the prompt out, the vectors are the oracle's for every prompt."""
    pooling = {"pooling_mode": mode, "include_prompt": False}
    folder = build_tiny(tmp_path / "m", pooling=pooling, heads=("Dense",), padding_side=side)
    both = pair(folder)
    for prompt in ("", "query : ", "search the answer . question the house : "):
        both.agree(prompt=prompt)


def test_prompts_by_name(tmp_path: Path, pair: Both) -> None:
    """Queries and documents get their own prompts, as in the oracle."""
    prompts = {"query": "query : ", "document": "document : "}
    both = pair(build_tiny(tmp_path / "m", prompts=prompts))
    for method in ("encode", "encode_query", "encode_document"):
        both.agree(method)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_family(tmp_path: Path, pair: Both, family: str) -> None:
    """Families that the torch-free builder knows run here as in the oracle."""
    assert family in TINY
    pair(build_family(tmp_path / "m", family)).agree()


def test_token_embeddings(tmp_path: Path, pair: Both) -> None:
    """Token embeddings are the oracle's, cut where its padding begins."""
    both = pair(build_tiny(tmp_path / "m"))
    texts = ["bread", "the small cat sleeps"]
    expected = both.oracle.encode(texts, output_value="token_embeddings")
    for found, wanted in zip(
        both.hotbed.encode(texts, output_value="token_embeddings"), expected, strict=True
    ):
        np.testing.assert_allclose(found, wanted.numpy(), atol=1e-5)


def test_shards(tmp_path: Path, pair: Both, torch: Any) -> None:
    """Weights in shards, as transformers saves them, give the oracle's vectors."""
    transformers = importlib.import_module("transformers")
    folder = build_tiny(tmp_path / "m")
    model = transformers.AutoModel.from_pretrained(folder, add_pooling_layer=False)
    (folder / "model.safetensors").unlink()
    model.save_pretrained(folder, max_shard_size="10KB")
    assert len(list(folder.glob("model-*.safetensors"))) > 1
    pair(folder).agree()


def test_the_default_model(pair: Both) -> None:
    """all-MiniLM-L6-v2 gives the oracle's vectors."""
    try:
        with hotbed.load("all-MiniLM-L6-v2", local_files_only=True) as model:
            folder = model.folder.path
    except SourceError as error:
        if "model" in os.environ.get("HOTBED_REQUIRE", "").split(","):
            pytest.fail(f"HOTBED_REQUIRE names model: {error}")
        pytest.skip(f"all-MiniLM-L6-v2 is not in HOTBED_HOME: {error}")
    pair(folder).agree()
