"""ModernBERT against transformers' own model."""

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

CASES: list[tuple[str, dict[str, Any]]] = [
    ("modernbert", {}),
    ("modernbert", {"local_attention": 2, "num_hidden_layers": 5, "num_attention_heads": 2}),
    ("modernbert", {"local_attention": 200}),
    ("modernbert", {"norm_bias": True, "attention_bias": True, "mlp_bias": True}),
    ("modernbert", {"global_attn_every_n_layers": 2, "hidden_activation": "silu"}),
    ("modernbert", {"layer_types": ["sliding_attention", "full_attention"] * 2}),
    ("modernbert", {"rope_scaling": {"rope_type": "linear", "factor": 2.0}}),
    ("modernbert", {"global_rope_theta": 500.0, "local_rope_theta": 70.0}),
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


@pytest.mark.parametrize("family", ["modernbert"])
def test_texts(tmp_path: Path, pair: Callable[..., Pair], family: str) -> None:
    """Texts, tokenised and batched by each side, give sentence-transformers' vectors."""
    pair(build_family(tmp_path / "m", family)).agree()
