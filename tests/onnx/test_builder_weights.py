"""Forms of checkpoints that the builder reads, where it puts weights, and what it refuses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hotbed import reference
from hotbed.errors import CorruptFileError, ModelError, UnsupportedModelError
from hotbed.models import read_folder
from hotbed.testing import build_tiny
from hotbed.testing.tiny import bert_config, bert_tensors
from hotbed_onnx import PROFILES, build_model
from tests.onnx.reference import build, embed, token_batch


def assert_equal_to_the_reference(folder: Path, profile: str) -> None:
    """The graph's sentences are the reference's."""
    batch = token_batch(folder)
    expected = reference.sentence_embedding(folder, batch)
    np.testing.assert_allclose(embed(build(folder, profile), batch), expected, atol=2e-5)


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("old_names", [False, True], ids=["weight", "gamma"])
@pytest.mark.parametrize("prefix", ["", "bert."])
def test_names_of_old_checkpoints(
    tmp_path: Path, prefix: str, old_names: bool, profile: str
) -> None:
    """``gamma``/``beta`` and a ``bert.`` prefix mean the same tensors."""
    config = bert_config()
    tensors = bert_tensors(config, prefix=prefix, old_names=old_names)
    plain = build_tiny(tmp_path / "plain")
    folder = build_tiny(tmp_path / "m", tensors=tensors)
    assert_equal_to_the_reference(folder, profile)
    batch = token_batch(folder)
    expected = reference.sentence_embedding(plain, batch)
    np.testing.assert_allclose(reference.sentence_embedding(folder, batch), expected, atol=1e-6)


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("storage", ["float16", "bfloat16"])
def test_half_precision_weights_widen_without_loss(
    tmp_path: Path, storage: str, profile: str
) -> None:
    """Weights stored in half precision give the vectors of those very numbers in float32."""
    import ml_dtypes

    kind: Any = {"float16": np.float16, "bfloat16": ml_dtypes.bfloat16}[storage]
    tensors = {name: value.astype(kind) for name, value in bert_tensors(bert_config()).items()}
    folder = build_tiny(tmp_path / "half", tensors=tensors)
    assert read_folder(folder).variants[0].storage == storage
    wide = {name: value.astype(np.float32) for name, value in tensors.items()}
    same = build_tiny(tmp_path / "wide", tensors=wide)
    batch = token_batch(folder)
    expected = reference.sentence_embedding(same, batch)
    np.testing.assert_allclose(embed(build(folder, profile), batch), expected, atol=2e-5)


def test_tensors_that_nobody_needs_do_no_harm(tmp_path: Path) -> None:
    """A checkpoint with a pooler, which the encoder does not use, is read like any other."""
    config = bert_config()
    extra = {"pooler.dense.weight": np.zeros((32, 32), np.float32)}
    folder = build_tiny(tmp_path / "m", tensors={**bert_tensors(config), **extra})
    assert_equal_to_the_reference(folder, "cpu")


def test_weights_lie_beside_a_tuned_graph_and_inside_a_portable_one(tmp_path: Path) -> None:
    """The runtime maps a tuned graph's weights from ``_data``; hub readers want one file."""
    folder = build_tiny(tmp_path / "m")
    tuned, portable = build(folder, "cpu"), build(folder, "portable")
    assert (tuned.parent / "cpu.onnx_data").stat().st_size > 20_000
    assert tuned.stat().st_size < portable.stat().st_size
    assert not (portable.parent / "portable.onnx_data").exists()


def test_graphs_hold_standard_operators_only_where_promised(tmp_path: Path) -> None:
    """A portable graph passes ONNX's own checker and names no domain but ONNX's."""
    import onnx

    folder = build_tiny(tmp_path / "m")
    model = onnx.load(build(folder, "portable"))
    onnx.checker.check_model(model, full_check=True)
    assert [entry.domain for entry in model.opset_import] == [""]
    tuned = onnx.load(build(folder, "cpu"), load_external_data=False)
    assert "com.microsoft" in [entry.domain for entry in tuned.opset_import]
    assert {item.key: item.value for item in tuned.metadata_props}["hotbed.profile"] == "cpu"


@pytest.mark.parametrize(
    ("config", "error", "message"),
    [
        ({"model_type": "mamba"}, UnsupportedModelError, r"'mamba' is not known .*bert"),
        ({"position_embedding_type": "relative_key"}, UnsupportedModelError, "'relative_key'"),
        ({"is_decoder": True}, UnsupportedModelError, "is_decoder is set"),
        ({"hidden_act": "mish"}, UnsupportedModelError, "hidden_act is 'mish'"),
        ({"num_attention_heads": 5}, CorruptFileError, "32 is not a multiple .* 5"),
        ({"intermediate_size": None}, CorruptFileError, "intermediate_size is None"),
        ({"intermediate_size": 50}, CorruptFileError, r"shape \(48, 32\).* asks for \(50, 32\)"),
        (
            {"num_hidden_layers": 3},
            CorruptFileError,
            "is 3, and 2 layers are there",
        ),
        ({"vocab_size": 9}, CorruptFileError, r"config\.json asks for \(9, 32\)"),
    ],
)
def test_what_does_not_fit_is_refused(
    tmp_path: Path, config: dict[str, Any], error: type[ModelError], message: str
) -> None:
    """A configuration that the builder does not know, or that the weights contradict, is named."""
    folder = build_tiny(tmp_path / "m", config=config, tensors=bert_tensors(bert_config()))
    with pytest.raises(error, match=message):
        build(folder, "cpu")


def test_an_unknown_profile_is_refused(tmp_path: Path) -> None:
    """A profile that nobody wrote is an error that lists those that are."""
    folder = read_folder(build_tiny(tmp_path / "m"))
    with pytest.raises(UnsupportedModelError, match=r"'tpu' is not known; .*portable, cpu"):
        build_model(folder, tmp_path / "m.onnx", profile="tpu")
