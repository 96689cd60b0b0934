"""Qwen3 and Gemma 3 against ``hotbed.reference``, and what of them is refused.

The references are float64 numpy, written from the papers, and tested against transformers in
``tests/oracle``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import hotbed
from hotbed import reference
from hotbed.errors import CorruptFileError, ModelError, UnsupportedModelError
from hotbed.testing import TEXTS
from hotbed.testing.tiny_families import TINY, build_family
from tests.onnx.family import PROFILES, assert_equal_to_the_reference
from tests.onnx.reference import build, token_batch

FAMILIES = ("qwen3", "gemma3_text")
SLIDING = ["full_attention", "sliding_attention"]


def assert_equal(folder: Path, profile: str, longest: int = 36) -> None:
    """The graph gives the reference's numbers."""
    assert_equal_to_the_reference(folder, profile, longest=longest, within=1e-4)


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize(
    ("family", "dialect"), [(f, d) for f in FAMILIES for d in TINY[f].dialects]
)
def test_every_family_and_dialect(tmp_path: Path, family: str, dialect: str, profile: str) -> None:
    """Each family, under each spelling of its tensors, equals its reference on every batch."""
    assert_equal(build_family(tmp_path / "m", family, dialect=dialect, seed=3), profile)


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize(
    ("family", "config"),
    [
        ("qwen3", {"num_key_value_heads": 4}),
        ("qwen3", {"num_key_value_heads": None, "num_attention_heads": 2}),
        ("qwen3", {"num_key_value_heads": 1, "attention_bias": True}),
        ("qwen3", {"is_causal": False, "hidden_act": "gelu"}),
        ("qwen3", {"use_sliding_window": True, "sliding_window": 5, "max_window_layers": 1}),
        ("qwen3", {"use_sliding_window": True, "sliding_window": 100, "layer_types": SLIDING}),
        ("qwen3", {"rope_parameters": {"rope_type": "linear", "factor": 2.0, "rope_theta": 9.0}}),
        ("gemma3_text", {"num_key_value_heads": 4, "sliding_window": 3}),
        ("gemma3_text", {"num_key_value_heads": 2, "sliding_window": 100}),
        ("gemma3_text", {"use_bidirectional_attention": False, "attention_bias": True}),
        ("gemma3_text", {"layer_types": None, "sliding_window_pattern": 2}),
        ("gemma3_text", {"rope_scaling": {"rope_type": "linear", "factor": 8.0}}),
        ("gemma3_text", {"query_pre_attn_scalar": 100, "hidden_activation": "gelu"}),
    ],
    ids=str,
)
def test_switches_of_the_configuration(
    tmp_path: Path, family: str, config: dict[str, Any], profile: str
) -> None:
    """Shared keys, windows, directions, biases, bases and scales are followed."""
    assert_equal(build_family(tmp_path / "m", family, config=config), profile)


@pytest.mark.parametrize("family", FAMILIES)
def test_texts_through_the_embedder(tmp_path: Path, family: str) -> None:
    """The folder's own tokenizer, padding side, pooling and modules give the reference's vectors.

    Qwen3's folder pads on the left, ends texts with a token, and pools the last one; EmbeddingGemma
    has two Dense modules after the mean.
    """
    folder = build_family(tmp_path / "m", family)
    batch = token_batch(folder)
    expected = reference.sentence_embedding(folder, batch)
    if family == "qwen3":
        assert (batch.attention_mask[:, -1] == 1).all()
        assert set(batch.input_ids[:, -1]) == {3}
    with pytest.warns(hotbed.HotbedWarning, match="were cut"), hotbed.load(folder) as model:
        np.testing.assert_allclose(model.encode(list(TEXTS)), expected, atol=1e-4)


@pytest.mark.parametrize(
    ("family", "config", "error", "message"),
    [
        ("qwen3", {"num_key_value_heads": 3}, CorruptFileError, "4 is not a multiple of num_key"),
        ("qwen3", {"layer_types": SLIDING}, CorruptFileError, "use_sliding_window is not set"),
        (
            "qwen3",
            {"use_sliding_window": True, "sliding_window": 4, "layer_types": SLIDING}
            | {"is_causal": False},
            UnsupportedModelError,
            "windows in causal models only",
        ),
        ("qwen3", {"head_dim": 11}, UnsupportedModelError, "a head of 11 units"),
        (
            "qwen3",
            {"rope_scaling": {"rope_type": "yarn", "factor": 4.0}},
            UnsupportedModelError,
            "rope_type is 'yarn'",
        ),
        ("gemma3_text", {"attn_logit_softcapping": 50.0}, UnsupportedModelError, "is 50.0"),
        ("gemma3_text", {"is_causal": False}, UnsupportedModelError, "is_causal is False"),
        ("gemma3_text", {"head_dim": 16}, CorruptFileError, r"q_norm\.weight' has the shape"),
    ],
)
def test_what_does_not_fit_is_refused(
    tmp_path: Path, family: str, config: dict[str, Any], error: type[ModelError], message: str
) -> None:
    """A configuration that the builder does not know, or that the weights contradict, is named."""
    tensors = TINY[family].tensors(TINY[family].config())
    folder = build_family(tmp_path / "m", family, config=config, tensors=tensors)
    with pytest.raises(error, match=message):
        build(folder, "cpu")
