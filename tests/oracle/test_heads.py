"""What follows the pooling: Dense, LayerNorm, Normalize, Dropout."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hotbed import Embedder
from hotbed.errors import UnsupportedModelError
from hotbed.models.modules import ACTIVATIONS
from hotbed.testing import build_tiny
from tests.oracle.pair import CUT, Pair, edit

pytestmark = pytest.mark.filterwarnings(CUT)

Both = Callable[..., Pair]


@pytest.mark.parametrize("residual", [False, True])
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_activations(both: Both, activation: str, residual: bool) -> None:
    """Each activation of a Dense module gives sentence-transformers' vectors."""
    dense = {"activation_function": activation, "use_residual": residual}
    both(heads=("Dense",), dense=dense).agree()


@pytest.mark.parametrize(
    "dense",
    [
        pytest.param({}, id="no activation named"),
        pytest.param({"bias": False}, id="no bias"),
        pytest.param({"use_residual": True}, id="residual to another width"),
        pytest.param({"use_residual": True, "out_features": 32}, id="residual, same width"),
        pytest.param({"out_features": 64}, id="wider"),
    ],
)
def test_dense(both: Both, dense: dict[str, Any]) -> None:
    """Each form of a Dense module gives sentence-transformers' vectors."""
    pair = both(heads=("Dense",), dense=dense)
    pair.agree()
    assert pair.hotbed.get_embedding_dimension() == pair.st.get_embedding_dimension()


def test_an_unnamed_activation_is_tanh(both: Both) -> None:
    """A Dense module without the key is a Tanh one, as in sentence-transformers."""
    pair = both(heads=("Dense",))
    for model in (pair.st, pair.hotbed):
        assert np.abs(model.encode(["a dog", "bread"])).max() < 1
    assert type(pair.st[2].activation_function).__name__ == "Tanh"


@pytest.mark.parametrize(
    "heads",
    [
        (),
        ("Normalize",),
        ("LayerNorm",),
        ("Dropout", "Normalize"),
        ("LayerNorm", "Dense", "Normalize"),
        ("Dense", "LayerNorm", "Dropout", "Dense", "Normalize", "LayerNorm"),
    ],
    ids="+".join,
)
def test_sequences(both: Both, heads: tuple[str, ...]) -> None:
    """Modules in sequence give sentence-transformers' vectors; Dropout does nothing."""
    both(heads=heads, pooling={"pooling_mode": ["mean", "cls"]}).agree()


def test_modules_run_in_the_order_of_the_file(
    tmp_path: Path, pair: Callable[..., Pair], st: Callable[..., Any]
) -> None:
    """Modules run in the order of modules.json, whatever idx says, as in sentence-transformers."""
    import json

    folder = build_tiny(tmp_path / "tiny", heads=("Dense", "Normalize"))
    in_order = st(folder).encode("a dog")
    path = folder / "modules.json"
    first, second, dense, normalize = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps([first, second, normalize, dense]), encoding="utf-8")
    swapped = pair(folder)
    swapped.agree()
    assert np.abs(swapped.st.encode("a dog") - in_order).max() > 1e-3


@pytest.mark.parametrize(
    "activation", ["torch.nn.modules.activation.Hardswish", "someone.elses.Activation"]
)
def test_an_unknown_activation(
    tmp_path: Path, st: Callable[..., Any], hb: Callable[..., Embedder], activation: str
) -> None:
    """hotbed refuses unknown activations; sentence-transformers runs torch's, and else Tanh."""
    folder = build_tiny(
        tmp_path / "tiny", heads=("Dense",), dense={"activation_function": activation}
    )
    runs = type(st(folder)[2].activation_function).__name__
    assert runs == ("Hardswish" if activation.startswith("torch.") else "Tanh")
    with pytest.raises(UnsupportedModelError, match=activation):
        hb(folder)


def test_a_module_on_token_embeddings(
    tmp_path: Path, st: Callable[..., Any], hb: Callable[..., Embedder]
) -> None:
    """hotbed refuses a module on token embeddings; sentence-transformers runs it."""
    folder = build_tiny(tmp_path / "tiny")
    (folder / "2_Normalize" / "config.json").write_text("{}", encoding="utf-8")
    edit(folder / "2_Normalize" / "config.json", module_input_name="token_embeddings")
    assert np.linalg.norm(st(folder).encode("a dog")) > 1.1
    with pytest.raises(UnsupportedModelError, match="module_input_name is 'token_embeddings'"):
        hb(folder)
