"""DistilBERT, RoBERTa, CamemBERT, XLM-RoBERTa and MPNet against transformers' own models."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hotbed.testing.tiny_families import build_family
from tests.oracle.family import Subject, save
from tests.oracle.pair import CUT, Pair

pytestmark = pytest.mark.filterwarnings(CUT)

FAMILIES = ("bert", "distilbert", "roberta", "camembert", "xlm-roberta", "mpnet")
OFFSET = {"bert": 0, "distilbert": 0}

CASES: list[tuple[str, dict[str, Any]]] = [
    *((family, {}) for family in FAMILIES),
    ("bert", {"num_attention_heads": 2, "num_hidden_layers": 3}),
    ("distilbert", {"n_heads": 8, "n_layers": 3, "activation": "relu"}),
    ("distilbert", {"sinusoidal_pos_embds": True}),
    ("roberta", {"type_vocab_size": 2, "hidden_act": "gelu_new", "num_attention_heads": 2}),
    ("xlm-roberta", {"pad_token_id": 0, "num_attention_heads": 8}),
    ("xlm-roberta", {"pad_token_id": 3, "layer_norm_eps": 1e-12}),
    ("camembert", {"hidden_size": 48, "num_attention_heads": 3}),
    ("mpnet", {"num_attention_heads": 2, "max_position_embeddings": 320}),
    ("mpnet", {"relative_attention_num_buckets": 40, "hidden_act": "relu"}),
]


def longest(folder: Path, family: str) -> int:
    """The most tokens that a folder's model takes."""
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    return int(config["max_position_embeddings"]) - OFFSET.get(family, config["pad_token_id"] + 1)


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
    Subject.open(folder, torch, st, longest(folder, family)).check(seed=seed)


@pytest.mark.parametrize("family", FAMILIES)
def test_texts(tmp_path: Path, pair: Callable[..., Pair], family: str) -> None:
    """Texts, tokenised and batched by each side, give sentence-transformers' vectors."""
    pair(build_family(tmp_path / "m", family)).agree()


@pytest.mark.parametrize("family", ["distilbert", "xlm-roberta", "mpnet"])
def test_the_limit_without_a_limit(tmp_path: Path, pair: Callable[..., Pair], family: str) -> None:
    """Where nothing states a limit, the longest text of either side is embedded alike."""
    folder = build_family(tmp_path / "m", family, max_seq_length=None)
    pair(folder).agree(["bread " * 100, "water"])


@pytest.mark.parametrize("prefix", ["", "roberta."])
def test_inside_a_model_with_a_head(tmp_path: Path, pair: Callable[..., Pair], prefix: str) -> None:
    """A checkpoint of a masked language model loads as transformers loads it."""
    pair(build_family(tmp_path / "m", "xlm-roberta", dialect=prefix)).agree()
