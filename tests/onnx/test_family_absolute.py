"""DistilBERT, RoBERTa, CamemBERT, XLM-RoBERTa and MPNet against ``hotbed.reference``.

The references are float64 numpy, written from the papers, and tested against transformers in
``tests/oracle``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hotbed import reference
from hotbed.errors import CorruptFileError, ModelError, UnsupportedModelError
from hotbed.models import read_folder
from hotbed.testing.tiny_families import TINY, build_family
from tests.onnx.family import PROFILES, assert_equal_to_the_reference
from tests.onnx.reference import build, embed, token_batch

FAMILIES = ("distilbert", "roberta", "camembert", "xlm-roberta", "mpnet")


def longest(folder: Path) -> int:
    """The most tokens that a folder's model takes."""
    config = read_folder(folder).config
    offset = 0 if config["model_type"] == "distilbert" else config["pad_token_id"] + 1
    return int(config["max_position_embeddings"]) - offset


def assert_equal(folder: Path, profile: str) -> None:
    """The graph gives the reference's numbers."""
    assert_equal_to_the_reference(folder, profile, longest=longest(folder))


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
        ("distilbert", {"n_heads": 2, "activation": "relu", "n_layers": 1}),
        ("roberta", {"type_vocab_size": 2, "hidden_act": "gelu_new"}),
        ("xlm-roberta", {"pad_token_id": 0, "num_attention_heads": 8}),
        ("xlm-roberta", {"pad_token_id": 3, "layer_norm_eps": 1e-12}),
        ("mpnet", {"num_attention_heads": 2, "max_position_embeddings": 300}),
        ("mpnet", {"relative_attention_num_buckets": 40}),
    ],
    ids=str,
)
def test_switches_of_the_configuration(
    tmp_path: Path, family: str, config: dict[str, Any], profile: str
) -> None:
    """Sizes, heads, activations, padding numbers and distances beyond 128 are followed."""
    assert_equal(build_family(tmp_path / "m", family, config=config), profile)


@pytest.mark.parametrize("family", FAMILIES)
def test_the_padding_token_inside_a_text_is_counted_as_the_model_counts_it(
    tmp_path: Path, family: str
) -> None:
    """Positions are made from token numbers and not from the mask, wherever the model does so."""
    folder = build_family(tmp_path / "m", family)
    batch = token_batch(folder)
    batch.input_ids[0, 2] = read_folder(folder).config["pad_token_id"]
    expected = reference.sentence_embedding(folder, batch)
    np.testing.assert_allclose(embed(build(folder, "cpu"), batch), expected, atol=2e-5)


@pytest.mark.parametrize(
    ("family", "config", "error", "message"),
    [
        ("distilbert", {"activation": "mish"}, UnsupportedModelError, "activation is 'mish'"),
        ("distilbert", {"n_heads": 5}, CorruptFileError, "32 is not a multiple of n_heads 5"),
        ("distilbert", {"hidden_dim": None}, CorruptFileError, "hidden_dim is None"),
        ("distilbert", {"n_layers": 1}, CorruptFileError, r"no place for, transformer\.layer\.1"),
        ("roberta", {"is_decoder": True}, UnsupportedModelError, "is_decoder is set; the RoBERTa"),
        ("roberta", {"pad_token_id": None}, UnsupportedModelError, "pad_token_id is None"),
        ("roberta", {"layer_norm_eps": "x"}, CorruptFileError, "layer_norm_eps is 'x'"),
        (
            "camembert",
            {"num_hidden_layers": 3},
            CorruptFileError,
            "is 3, and 2 layers are there",
        ),
        (
            "mpnet",
            {"position_embedding_type": "relative_key"},
            UnsupportedModelError,
            "'relative_key'; the MPNet builder",
        ),
        ("mpnet", {"relative_attention_num_buckets": 16}, CorruptFileError, "is 16; MPNet uses 32"),
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
