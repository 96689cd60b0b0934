"""Qwen3-Embedding and EmbeddingGemma against transformers' own models."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hotbed.testing.tiny_families import build_family
from tests.oracle.family import Subject, save
from tests.oracle.pair import CUT, Pair

pytestmark = pytest.mark.filterwarnings(CUT)

LONGEST = 36
SLIDING = ["full_attention", "sliding_attention"]

CASES: list[tuple[str, dict[str, Any]]] = [
    ("qwen3", {}),
    ("qwen3", {"num_key_value_heads": 4}),
    ("qwen3", {"num_key_value_heads": 1, "attention_bias": True, "num_hidden_layers": 3}),
    ("qwen3", {"num_attention_heads": 6, "num_key_value_heads": 3, "hidden_act": "gelu"}),
    ("qwen3", {"use_sliding_window": True, "sliding_window": 5, "max_window_layers": 1}),
    ("qwen3", {"use_sliding_window": True, "sliding_window": 100, "layer_types": SLIDING}),
    ("qwen3", {"rope_theta": 9.0}),
    ("qwen3", {"rope_scaling": {"rope_type": "linear", "factor": 2.0}}),
    ("gemma3_text", {}),
    ("gemma3_text", {"num_key_value_heads": 4, "sliding_window": 4}),
    ("gemma3_text", {"num_key_value_heads": 2, "sliding_window": 100}),
    ("gemma3_text", {"use_bidirectional_attention": False, "sliding_window": 5}),
    ("gemma3_text", {"layer_types": None, "sliding_window_pattern": 2}),
    ("gemma3_text", {"rope_scaling": {"rope_type": "linear", "factor": 8.0}}),
    ("gemma3_text", {"rope_theta": 50.0, "rope_local_base_freq": 7.0}),
    ("gemma3_text", {"query_pre_attn_scalar": 100, "attention_bias": True}),
]


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize(("family", "config"), CASES, ids=str)
def test_a_random_model(
    tmp_path: Path,
    torch: Any,
    st: Callable[..., Any],
    family: str,
    config: dict[str, Any],
    seed: int,
) -> None:
    """On every kind of batch, both profiles and the numpy reference give transformers' vectors."""
    folder = save(torch, tmp_path / "m", family, config, seed=seed)
    Subject.open(folder, torch, st, LONGEST).check(seed=seed)


@pytest.mark.parametrize(("family", "config"), CASES, ids=str)
def test_a_configuration_of_transformers_4(
    tmp_path: Path, torch: Any, st: Callable[..., Any], family: str, config: dict[str, Any]
) -> None:
    """A folder with the keys of older versions gives what transformers makes of it today."""
    Subject.open(build_family(tmp_path / "m", family, config=config), torch, st, LONGEST).check()


@pytest.mark.parametrize("kind", ["right padding", "left padding", "longest"])
def test_a_language_model_that_sees_both_ways(
    tmp_path: Path, torch: Any, st: Callable[..., Any], kind: str
) -> None:
    """``is_causal`` false in config.json takes the causal mask away, as in transformers."""
    folder = build_family(tmp_path / "m", "qwen3", config={"is_causal": False})
    Subject.open(folder, torch, st, LONGEST).check([kind])


@pytest.mark.parametrize("family", ["qwen3", "gemma3_text"])
def test_texts(tmp_path: Path, pair: Callable[..., Pair], family: str) -> None:
    """Texts, tokenised and batched by each side, give sentence-transformers' vectors."""
    pair(build_family(tmp_path / "m", family)).agree()


def test_prompts_in_front_of_a_last_token(tmp_path: Path, pair: Callable[..., Pair]) -> None:
    """Qwen3-Embedding's instruction is put in front of queries, on the padded side."""
    prompts = {"query": "question : "}
    models = pair(build_family(tmp_path / "m", "qwen3", prompts=prompts))
    models.agree(method="encode_query")
    models.agree(method="encode_document")


@pytest.mark.parametrize("family", ["qwen3", "gemma3_text"])
def test_inside_a_model_with_a_head(tmp_path: Path, pair: Callable[..., Pair], family: str) -> None:
    """A checkpoint of a causal language model loads as transformers loads it."""
    pair(build_family(tmp_path / "m", family, dialect="model.")).agree()
