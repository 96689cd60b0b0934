"""Keys of ``config.json`` that would change the vectors and that no builder follows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from hotbed.errors import HotbedError
from hotbed.testing.tiny_families import build_family
from tests.onnx.reference import build

ENCODERS = ("bert", "distilbert", "gte", "modernbert", "mpnet", "new", "nomic_bert", "xlm-roberta")


@pytest.mark.parametrize("family", ENCODERS)
@pytest.mark.parametrize("key", ["is_causal", "is_decoder"])
def test_an_encoder_that_looks_back_only(tmp_path: Path, family: str, key: str) -> None:
    """No builder of an encoder draws that; each names the key."""
    folder = build_family(tmp_path / "m", family, config={key: True})
    with pytest.raises(HotbedError, match=f"{key} is set"):
        build(folder, "cpu")


@pytest.mark.parametrize(
    ("family", "config"),
    [
        ("bert", {"add_cross_attention": True}),
        ("bert", {"pruned_heads": {"0": [1]}}),
        ("bert", {"is_encoder_decoder": True}),
        ("roberta", {"rope_scaling": {"rope_type": "yarn", "factor": 4.0}}),
        ("qwen3", {"partial_rotary_factor": 0.5}),
        ("gemma3_text", {"partial_rotary_factor": 0.5}),
        ("distilbert", {"num_hidden_layers": 1}),
        ("distilbert", {"hidden_size": 8}),
        ("modernbert", {"sliding_window": 2}),
        ("modernbert", {"attribute_map": {"hidden_size": "dim"}}),
    ],
    ids=str,
)
def test_what_is_refused_by_name(tmp_path: Path, family: str, config: dict[str, Any]) -> None:
    """The message names the key."""
    folder = build_family(tmp_path / "m", family, config=config)
    with pytest.raises(HotbedError, match=next(iter(config))):
        build(folder, "cpu")


@pytest.mark.parametrize(
    ("family", "config"),
    [
        ("bert", {"is_causal": False, "pruned_heads": {}, "use_cache": True, "num_labels": 3}),
        ("distilbert", {"num_hidden_layers": 2}),
        ("modernbert", {"local_attention": 4, "sliding_window": 2}),
        ("qwen3", {"partial_rotary_factor": 1.0}),
    ],
    ids=str,
)
def test_what_says_the_usual_is_built(tmp_path: Path, family: str, config: dict[str, Any]) -> None:
    """Keys with the value that the builder follows anyway change nothing."""
    build(build_family(tmp_path / "m", family, config=config), "cpu")
