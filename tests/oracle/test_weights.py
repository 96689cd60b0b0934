"""Weights as they are stored: names, prefixes, half precision, activations of the encoder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hotbed import Embedder
from hotbed.errors import UnsupportedModelError
from hotbed.testing import build_tiny
from hotbed.testing.tiny import TEXTS, bert_config, bert_tensors
from tests.oracle.pair import CUT, Pair

pytestmark = pytest.mark.filterwarnings(CUT)

Both = Callable[..., Pair]
HALVES = ("float16", "bfloat16")


def halved(dtype: str) -> dict[str, Any]:
    """The tiny model's tensors in half precision."""
    import ml_dtypes

    kind = np.dtype(ml_dtypes.bfloat16 if dtype == "bfloat16" else dtype)
    return {name: tensor.astype(kind) for name, tensor in bert_tensors(bert_config()).items()}


@pytest.mark.parametrize(
    "activation",
    ["gelu", "relu", "silu", "swish", "gelu_new", "gelu_pytorch_tanh", "tanh", "sigmoid"],
)
def test_hidden_activations(both: Both, activation: str) -> None:
    """Each hidden_act gives the vectors of transformers' own function of that name."""
    both(config={"hidden_act": activation}, heads=()).agree()


@pytest.mark.parametrize("activation", ["quick_gelu", "gelu_fast"])
def test_an_unknown_hidden_activation(
    tmp_path: Path, st: Callable[..., Any], hb: Callable[..., Embedder], activation: str
) -> None:
    """hotbed refuses a hidden_act it does not know by name; sentence-transformers runs it."""
    folder = build_tiny(tmp_path / "tiny", config={"hidden_act": activation})
    assert st(folder).encode("a dog").shape == (32,)
    with pytest.raises(UnsupportedModelError, match=activation):
        hb(folder)


@pytest.mark.parametrize("prefix", ["", "bert."])
@pytest.mark.parametrize("old_names", [False, True], ids=["weight+bias", "gamma+beta"])
def test_names(both: Both, prefix: str, old_names: bool) -> None:
    """Tensors under old names, or with a head's prefix, load as transformers loads them."""
    both(tensors=bert_tensors(bert_config(), prefix=prefix, old_names=old_names)).agree()


@pytest.mark.parametrize(
    "config",
    [
        {"type_vocab_size": 1},
        {"num_attention_heads": 2, "num_hidden_layers": 1},
        {"layer_norm_eps": 1e-5},
        {"hidden_size": 48, "intermediate_size": 20, "num_attention_heads": 3},
    ],
    ids=str,
)
def test_shapes(both: Both, config: dict[str, Any]) -> None:
    """Sizes and eps of config.json shape the encoder as they shape transformers' BertModel."""
    both(config=config).agree()


@pytest.mark.parametrize("dtype", HALVES)
def test_half_precision_is_widened(both: Both, dtype: str) -> None:
    """Weights stored as halves give what sentence-transformers gives from them in float32."""
    both(tensors=halved(dtype)).agree()


@pytest.mark.parametrize("dtype", HALVES)
def test_half_precision_is_not_computed_in(
    tmp_path: Path, st: Callable[..., Any], hb: Callable[..., Embedder], dtype: str
) -> None:
    """hotbed computes in float32; sentence-transformers, if not told, in the stored halves."""
    folder = build_tiny(tmp_path / "tiny", tensors=halved(dtype))
    in_halves, model = st(folder, model_kwargs={}), hb(folder)
    assert str(in_halves.dtype) == f"torch.{dtype}"
    assert model.loaded.dtype == "float32"
    exact = st(folder).encode(list(TEXTS))
    lost = np.abs(in_halves.encode(list(TEXTS)).astype(np.float32) - exact).max()
    assert np.abs(model.encode(list(TEXTS)) - exact).max() < 1e-5 < lost


def test_a_pickle(
    tmp_path: Path, torch: Any, st: Callable[..., Any], hb: Callable[..., Embedder]
) -> None:
    """pytorch_model.bin is the PyTorch backend's to open; the vectors are the same."""
    folder = build_tiny(tmp_path / "tiny")
    tensors = {k: torch.from_numpy(v) for k, v in bert_tensors(bert_config()).items()}
    (folder / "model.safetensors").unlink()
    torch.save(tensors, folder / "pytorch_model.bin")
    wanted = st(folder).encode(list(TEXTS))
    found = hb(folder, backend="pytorch").encode(list(TEXTS))
    np.testing.assert_allclose(found, wanted, atol=1e-5)
