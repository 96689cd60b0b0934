"""BGE-M3's heads, and the files that hold them, against torch and FlagEmbedding's mathematics."""

from __future__ import annotations

import importlib
import json
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hotbed import Embedder
from hotbed.errors import CorruptFileError, UnsupportedModelError
from hotbed.models.torch_tensors import TorchTensors
from hotbed.testing.tiny import TEXTS
from hotbed.testing.tiny_families import build_family
from tests.oracle.pair import CUT, edit

pytestmark = pytest.mark.filterwarnings(CUT)

DTYPES = ("float32", "float16", "bfloat16")


def assert_as_torch_reads(torch: Any, path: Path, *, protocol: int = 2) -> None:
    """Every tensor is the one that ``torch.load`` gives; its careful reader knows protocol 2."""
    expected = torch.load(path, weights_only=protocol == 2)
    found = TorchTensors.open(path)
    assert list(found.tensors) == list(expected)
    for name, tensor in expected.items():
        np.testing.assert_array_equal(found.float32(name), tensor.float().numpy())


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("bias", [True, False])
def test_a_linear_layer(tmp_path: Path, torch: Any, dtype: str, protocol: int, bias: bool) -> None:
    """A layer's ``state_dict``, in every type and pickle protocol."""
    layer = torch.nn.Linear(7, 5, bias=bias).to(getattr(torch, dtype))
    torch.save(layer.state_dict(), tmp_path / "x.pt", pickle_protocol=protocol)
    assert_as_torch_reads(torch, tmp_path / "x.pt", protocol=protocol)


@pytest.mark.parametrize("dtype", DTYPES)
def test_views(tmp_path: Path, torch: Any, dtype: str) -> None:
    """Transposed, sliced, stepped, scalar and empty views, and two of one storage."""
    whole = torch.randn(6, 8).to(getattr(torch, dtype))
    views = {
        "whole": whole,
        "transposed": whole.T,
        "sliced": whole[2:5, 1:7],
        "stepped": whole[::2, ::3],
        "column": whole[:, 3],
        "scalar": whole[1, 1],
        "empty": whole[:0],
        "permuted": whole.view(2, 3, 8).permute(2, 0, 1),
    }
    torch.save(views, tmp_path / "x.pt")
    assert_as_torch_reads(torch, tmp_path / "x.pt")


@pytest.mark.parametrize("kind", [dict, OrderedDict])
def test_dicts(tmp_path: Path, torch: Any, kind: type) -> None:
    """Plain and ordered ones, odd names, and a tensor that wants a gradient."""
    tensors = kind([("", torch.ones(2)), ("größe.0", torch.randn(3, requires_grad=True))])
    torch.save({k: v.detach() for k, v in tensors.items()}, tmp_path / "a.pt")
    torch.save(tensors, tmp_path / "b.pt")
    assert_as_torch_reads(torch, tmp_path / "a.pt")
    found = TorchTensors.open(tmp_path / "b.pt")
    np.testing.assert_array_equal(found.float32("größe.0"), tensors["größe.0"].detach().numpy())


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda torch: torch.nn.Linear(2, 1), "the name 'torch.nn.modules.linear.Linear'"),
        (lambda torch: {"w": torch.nn.Parameter(torch.ones(2))}, "_rebuild_parameter"),
        (lambda torch: {"w": torch.ones(2, dtype=torch.float64)}, "torch.DoubleStorage"),
        (lambda torch: {"w": torch.ones(2, dtype=torch.int64)}, "torch.LongStorage"),
        (lambda torch: {"w": torch.ones(2).to_sparse()}, "_rebuild_sparse_tensor"),
        (lambda torch: torch.ones(2), "a TensorRef where a dict"),
        (lambda torch: {"w": {"x": torch.ones(2)}}, "a dict under 'w'"),
        (lambda torch: {"w": 1.0}, "BINFLOAT"),
    ],
)
def test_more_than_plain_tensors_is_refused(
    tmp_path: Path, torch: Any, make: Callable[[Any], Any], message: str
) -> None:
    """Modules, parameters, doubles, sparse tensors: refused by the name of what is too much."""
    torch.save(make(torch), tmp_path / "x.pt")
    with pytest.raises(UnsupportedModelError) as caught:
        TorchTensors.open(tmp_path / "x.pt")
    assert message in str(caught.value)


def test_the_old_format_and_expanded_views_are_refused(tmp_path: Path, torch: Any) -> None:
    """What torch wrote before 1.6 is no archive; a view that repeats numbers could be endless."""
    torch.save({"w": torch.ones(2)}, tmp_path / "x.pt", _use_new_zipfile_serialization=False)
    with pytest.raises(UnsupportedModelError, match=r"before 1\.6"):
        TorchTensors.open(tmp_path / "x.pt")
    torch.save({"w": torch.ones(1).expand(3)}, tmp_path / "y.pt")
    with pytest.raises(CorruptFileError, match="does not lie inside its storage"):
        TorchTensors.open(tmp_path / "y.pt").float32("w")


def flag_embedding(torch: Any, folder: Path, texts: list[str], limit: int) -> list[dict[str, Any]]:
    """BGE-M3's outputs by FlagEmbedding 1.4's mathematics, text by text.

    ``EncoderOnlyEmbedderM3Model`` (``finetune/embedder/encoder_only/m3/modeling.py``) and
    ``_process_token_weights`` and ``_process_colbert_vecs`` of ``M3Embedder``
    (``inference/embedder/encoder_only/m3.py``), written from reading them.
    """
    transformers = importlib.import_module("transformers")
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    model = transformers.AutoModel.from_pretrained(folder, dtype=torch.float32).eval()
    heads = {
        name: torch.load(folder / f"{name}_linear.pt", weights_only=True)
        for name in ("sparse", "colbert")
    }

    def linear(name: str, x: Any) -> Any:
        weight, bias = (heads[name][part].float() for part in ("weight", "bias"))
        return torch.nn.functional.linear(x, weight, bias)

    roles = ("cls_token", "eos_token", "pad_token", "unk_token")
    named = [tokenizer.special_tokens_map.get(role) for role in roles]
    unused = {tokenizer.convert_tokens_to_ids(token) for token in named if token}
    results = []
    for text in texts:
        inputs = tokenizer(text, truncation=True, max_length=limit, return_tensors="pt")
        keys = ("input_ids", "attention_mask")
        with torch.no_grad():
            hidden = model(**{key: inputs[key] for key in keys}).last_hidden_state
        weights: dict[int, float] = {}
        pairs = zip(
            inputs["input_ids"][0].tolist(),
            torch.relu(linear("sparse", hidden))[0, :, 0].tolist(),
            strict=True,
        )
        for token, weight in pairs:
            if token not in unused and weight > max(0.0, weights.get(token, 0.0)):
                weights[token] = weight
        normalize = torch.nn.functional.normalize
        results.append(
            {
                "dense": normalize(hidden[:, 0], dim=-1)[0].numpy(),
                "sparse": weights,
                "colbert": normalize(linear("colbert", hidden[:, 1:]), dim=-1)[0].numpy(),
            }
        )
    return results


@pytest.mark.parametrize("width", [32, 24])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("eos", [True, False])
def test_the_outputs_are_flag_embeddings(
    tmp_path: Path, torch: Any, hb: Callable[..., Embedder], dtype: str, width: int, eos: bool
) -> None:
    """All three, on texts with repeated, unknown and no words, and on one that is cut."""
    folder = build_family(
        tmp_path / "m", "xlm-roberta", pooling={"pooling_mode_cls_token": True}, seed=width
    )
    if eos:
        edit(folder / "tokenizer_config.json", eos_token="[SEP]")
    hidden = json.loads((folder / "config.json").read_text())["hidden_size"]
    for name, rows in (("sparse", 1), ("colbert", width)):
        layer = torch.nn.Linear(hidden, rows).to(getattr(torch, dtype))
        torch.save(layer.state_dict(), folder / f"{name}_linear.pt")
    texts = [*TEXTS, "cat cat cat dog cat", "☃"]
    model = hb(folder)
    assert model.max_seq_length is not None
    expected = flag_embedding(torch, folder, texts, model.max_seq_length)
    found = model.encode(texts, outputs=("dense", "sparse", "colbert"))
    for row, wanted in enumerate(expected):
        np.testing.assert_allclose(found["dense"][row], wanted["dense"], atol=1e-5)
        np.testing.assert_allclose(found["colbert"][row], wanted["colbert"], atol=1e-5)
        assert found["sparse"][row].as_dict() == pytest.approx(wanted["sparse"], abs=1e-5)
