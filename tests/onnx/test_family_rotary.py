"""Encoders with rotary positions against ``hotbed.reference``, and what of them is refused.

The references are float64 numpy, written from the papers, and tested against transformers in
``tests/oracle``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from hotbed.errors import CorruptFileError, ModelError, UnsupportedModelError
from hotbed.testing.tiny_families import TINY, build_family
from tests.onnx.family import PROFILES, assert_equal_to_the_reference
from tests.onnx.reference import build

FAMILIES = ("modernbert",)


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
    ("modernbert", {"rope_scaling": 3}, CorruptFileError, "rope_scaling is 3, which is no object"),
]


@pytest.mark.parametrize(("family", "config", "error", "message"), REFUSED)
def test_what_does_not_fit_is_refused(
    tmp_path: Path, family: str, config: dict[str, Any], error: type[ModelError], message: str
) -> None:
    """A configuration that the builder does not know, or that the weights contradict, is named."""
    tensors = TINY[family].tensors(TINY[family].config())
    folder = build_family(tmp_path / "m", family, config=config, tensors=tensors)
    with pytest.raises(error, match=message):
        build(folder, "cpu")
