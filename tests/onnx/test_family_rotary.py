"""Encoders with rotary positions against ``hotbed.reference``, and what of them is refused.

The references are float64 numpy, written from the papers, and tested against transformers in
``tests/oracle``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hotbed.backends import TokenBatch
from hotbed.errors import CorruptFileError, ModelError, UnsupportedModelError
from hotbed.models import read_folder
from hotbed.testing.tiny_batches import make_batch
from hotbed.testing.tiny_families import TINY, build_family
from tests.onnx.family import PROFILES, assert_equal_to_the_reference, open_both
from tests.onnx.reference import build

FAMILIES = ("modernbert", "nomic_bert", "new", "gte")
NATIVE = {"hidden_size": 32}  # Nomic with transformers' keys


def assert_equal(folder: Path, profile: str, longest: int = 36) -> None:
    """The graph gives the reference's numbers."""
    assert_equal_to_the_reference(folder, profile, longest=longest, within=5e-5)


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize(
    ("family", "dialect"), [(f, d) for f in FAMILIES for d in TINY[f].dialects]
)
def test_every_family_and_dialect(tmp_path: Path, family: str, dialect: str, profile: str) -> None:
    """Each family, under each spelling of its tensors, equals its reference on every batch."""
    assert_equal(build_family(tmp_path / "m", family, dialect=dialect, seed=3), profile)


SWITCHES: list[tuple[str, dict[str, Any]]] = [
    ("modernbert", {"local_attention": 2, "num_hidden_layers": 3}),
    ("modernbert", {"local_attention": 128}),
    ("modernbert", {"norm_bias": True, "attention_bias": True, "mlp_bias": True}),
    ("modernbert", {"global_attn_every_n_layers": 1, "local_rope_theta": None}),
    ("modernbert", {"layer_types": ["sliding_attention"] * 4}),
    ("modernbert", {"rope_scaling": {"rope_type": "linear", "factor": 2.0}}),
    ("nomic_bert", NATIVE),
    ("nomic_bert", {**NATIVE, "head_dim": 12, "hidden_act": "gelu"}),
    ("nomic_bert", {**NATIVE, "rope_parameters": {"rope_type": "linear", "factor": 3.0}}),
    ("nomic_bert", {"qkv_proj_bias": True, "mlp_fc1_bias": True, "mlp_fc2_bias": True}),
    ("nomic_bert", {"activation_function": "geglu", "n_inner": 256, "type_vocab_size": 0}),
    ("nomic_bert", {"activation_function": "glu", "n_head": 2, "pad_vocab_size_multiple": 1}),
    ("nomic_bert", {"rotary_scaling_factor": 2, "max_trained_positions": 16}),
    ("new", {"rope_scaling": {"type": "ntk", "factor": 4.0, "mixed_b": 0.6}}),
    ("new", {"rope_scaling": None, "type_vocab_size": 0, "num_attention_heads": 2}),
    ("gte", {"rope_parameters": None, "rope_theta": 300.0, "hidden_act": "relu"}),
    ("gte", {"rope_parameters": {"rope_type": "dynamic", "factor": 2.0}, "head_dim": 4}),
]


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize(("family", "config"), SWITCHES, ids=str)
def test_switches_of_the_configuration(
    tmp_path: Path, family: str, config: dict[str, Any], profile: str
) -> None:
    """Windows, biases, kinds of layers, bases and scalings are followed."""
    assert_equal(build_family(tmp_path / "m", family, config=config), profile)


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("family", FAMILIES)
def test_texts_longer_than_the_positions(tmp_path: Path, family: str, profile: str) -> None:
    """Rotary positions know no end: the folder's own limit is served, however long."""
    folder = build_family(tmp_path / "m", family, max_seq_length=90)
    assert_equal(folder, profile, longest=90)


def test_the_limit_of_a_hub_configuration(tmp_path: Path) -> None:
    """Nomic's n_positions limits texts where nothing else does."""
    config = {"n_positions": 20}
    folder = build_family(tmp_path / "m", "nomic_bert", config=config, max_seq_length=None)
    assert read_folder(folder).max_seq_length == 20


@pytest.mark.parametrize("profile", PROFILES)
def test_dynamic_scaling_looks_at_each_text_alone(tmp_path: Path, profile: str) -> None:
    """A short text beside a long one keeps the frequencies that it has alone."""
    config = {"rotary_scaling_factor": 2, "max_trained_positions": 8}
    folder = build_family(tmp_path / "m", "nomic_bert", config=config)
    ask = open_both(build(folder, profile))
    batch = make_batch("right padding", vocab=40, longest=30)
    _, together = ask(batch)
    for row, ids in enumerate(batch.input_ids):
        alone = np.ascontiguousarray(ids[None, : int(batch.attention_mask[row].sum())])
        mask = np.ones_like(alone)
        _, vector = ask(TokenBatch(input_ids=alone, attention_mask=mask, pooling_mask=mask))
        np.testing.assert_allclose(vector[0], together[row], atol=2e-5)


REFUSED: list[tuple[str, dict[str, Any], type[ModelError], str]] = [
    ("modernbert", {"hidden_activation": "mish"}, UnsupportedModelError, "activation is 'mish'"),
    ("modernbert", {"layer_types": ["full_attention"]}, CorruptFileError, "each of 4 layers"),
    (
        "modernbert",
        {"layer_types": ["full_attention", "chunked_attention"] * 2},
        UnsupportedModelError,
        "names chunked_attention",
    ),
    (
        "modernbert",
        {"rope_scaling": {"rope_type": "yarn", "factor": 4.0}},
        UnsupportedModelError,
        "rope_type is 'yarn'; the builder knows default, linear",
    ),
    (
        "modernbert",
        {"rope_parameters": {"rope_theta": 1e4}},
        UnsupportedModelError,
        "stated for each kind of layer",
    ),
    (
        "modernbert",
        {"rope_scaling": {"type": "linear", "factor": 2.0, "partial_rotary_factor": 0.5}},
        UnsupportedModelError,
        "partial_rotary_factor=0.5 is not known",
    ),
    ("modernbert", {"norm_bias": True}, CorruptFileError, "no tensor 'embeddings.norm.bias'"),
    ("modernbert", {"num_hidden_layers": 3}, CorruptFileError, r"no place for, layers\.3"),
    ("modernbert", {"rope_scaling": 3}, CorruptFileError, "rope_scaling is 3; an object"),
    ("nomic_bert", {"prenorm": True}, UnsupportedModelError, "prenorm is set; the Nomic builder"),
    ("nomic_bert", {"moe_every_n_layers": 2}, UnsupportedModelError, "moe_every_n_layers is 2"),
    (
        "nomic_bert",
        {"causal": True, "rotary_emb_interleaved": True, "rotary_emb_fraction": 0.5},
        UnsupportedModelError,
        "causal is set, rotary_emb_fraction is 0.5, rotary_emb_interleaved is set",
    ),
    (
        "nomic_bert",
        {"activation_function": "gelu"},
        UnsupportedModelError,
        "activation_function is 'gelu'; the Nomic builder knows swiglu",
    ),
    ("nomic_bert", {"n_inner": 300}, CorruptFileError, r"mlp\.fc12\.weight' has .* \(512, 32\)"),
    ("new", {"logn_attention_scale": True}, UnsupportedModelError, "logn_attention_scale is set"),
    ("new", {"layer_norm_type": "rms_norm"}, UnsupportedModelError, "layer_norm_type is 'rms_norm"),
    ("new", {"position_embedding_type": "absolute"}, UnsupportedModelError, "'absolute'"),
    (
        "new",
        {"intermediate_size": 20},
        CorruptFileError,
        r"up_gate_proj\.weight' has .* \(40, 32\)",
    ),
    (
        "gte",
        {"rope_parameters": {"full_attention": {"rope_type": "default"}}},
        UnsupportedModelError,
        "one kind of layer",
    ),
]


@pytest.mark.parametrize(("family", "config", "error", "message"), REFUSED)
def test_what_does_not_fit_is_refused(
    tmp_path: Path, family: str, config: dict[str, Any], error: type[ModelError], message: str
) -> None:
    """A configuration that the builder does not know, or that the weights contradict, is named."""
    tiny = TINY[family]
    tensors = tiny.tensors(tiny.config(), 0, tiny.dialects[0])
    folder = build_family(tmp_path / "m", family, config=config, tensors=tensors)
    with pytest.raises(error, match=message):
        build(folder, "cpu")
