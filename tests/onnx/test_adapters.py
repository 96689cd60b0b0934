"""Adapters beside their base, without PyTorch; tests/oracle/test_adapters.py asks peft."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import hotbed
from hotbed import reference
from hotbed.errors import CorruptFileError, HotbedError, MissingFileError, UnsupportedModelError
from hotbed.inference.tokenisation import Tokenizer
from hotbed.models import read_folder
from hotbed.testing import TEXTS, build_tiny

pytestmark = pytest.mark.filterwarnings("ignore::hotbed.HotbedWarning")

QUERY = "encoder.layer.0.attention.self.query"
WORDS = "embeddings.word_embeddings"

Factors = dict[str, NDArray[Any]]


def factors(module: str = QUERY, rank: int = 4, size: int = 32) -> Factors:
    """Random factors of one layer."""
    rng = np.random.default_rng(3)
    return {
        f"base_model.model.{module}.lora_A.weight": rng.normal(size=(rank, size)).astype("f4"),
        f"base_model.model.{module}.lora_B.weight": rng.normal(size=(size, rank)).astype("f4"),
    }


def adapt(folder: Path, tensors: Factors | None = None, **config: Any) -> Path:
    """Put an adapter into a folder."""
    from safetensors.numpy import save_file

    held = {"peft_type": "LORA", "r": 4, "lora_alpha": 8, "target_modules": ["query"], **config}
    (folder / "adapter_config.json").write_text(json.dumps(held))
    given = factors() if tensors is None else tensors
    single = {name: np.ascontiguousarray(value, np.float32) for name, value in given.items()}
    save_file(single, folder / "adapter_model.safetensors")
    return folder


def merged(folder: Path, scale: float) -> Path:
    """A tiny model whose first query layer holds the sum."""
    from safetensors.numpy import load_file, save_file

    build_tiny(folder)
    held = load_file(folder / "model.safetensors")
    a, b = factors().values()
    held[f"{QUERY}.weight"] = (held[f"{QUERY}.weight"] + scale * (b @ a)).astype(np.float32)
    save_file(held, folder / "model.safetensors")
    return folder


def encode(folder: Path) -> Any:
    """Vectors of the tiny texts."""
    with hotbed.load(folder) as model:
        return model.encode(list(TEXTS))


def test_the_sum_is_the_model(tmp_path: Path) -> None:
    """The converted graph, the reference and a converted folder see base and adapter as one."""
    folder = adapt(build_tiny(tmp_path / "m"))
    wanted = encode(merged(tmp_path / "merged", 2.0))
    assert np.abs(encode(build_tiny(tmp_path / "plain")) - wanted).max() > 1e-3
    np.testing.assert_allclose(encode(folder), wanted, atol=1e-6)
    tokenizer = Tokenizer.open(read_folder(folder))
    tokens = tokenizer.encode(list(TEXTS))
    batch = tokenizer.batch(tokens, np.arange(len(TEXTS)))
    np.testing.assert_allclose(reference.sentence_embedding(folder, batch), wanted, atol=2e-5)
    out = tmp_path / "out"
    hotbed.convert(folder, out)
    assert not (out / "adapter_config.json").exists()
    np.testing.assert_allclose(encode(out), wanted, atol=1e-6)


def test_a_changed_adapter_is_another_model(tmp_path: Path) -> None:
    """The cache of graphs knows the adapter's bytes, its configuration and its absence."""
    folder = adapt(build_tiny(tmp_path / "m"))
    first = encode(folder)
    adapt(folder, lora_alpha=4)
    np.testing.assert_allclose(encode(folder), encode(merged(tmp_path / "n", 1.0)), atol=1e-6)
    adapt(folder, lora_alpha=4, use_rslora=True)
    np.testing.assert_allclose(encode(folder), first, atol=1e-6)  # 4 / √4
    (folder / "adapter_config.json").unlink()
    np.testing.assert_array_equal(encode(folder), encode(build_tiny(tmp_path / "plain")))


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"peft_type": "LOHA"}, "peft_type is 'LOHA'"),
        ({"peft_type": None}, "peft_type is None"),
        ({"use_dora": True}, "use_dora=True"),
        ({"modules_to_save": ["classifier"]}, "modules_to_save"),
        ({"bias": "lora_only"}, "bias='lora_only'"),
        ({"init_lora_weights": "pissa"}, "init_lora_weights='pissa'"),
        ({"arithmetic_of_2027": {"x": 1}}, "arithmetic_of_2027"),
        ({"target_modules": ["key"]}, "target_modules does not name"),
        ({"target_modules": 5}, "target_modules is no list"),
        ({"target_modules": "(a+)+"}, "repetition in a repetition"),
        ({"target_modules": "("}, "the pattern"),
        ({"r": 8}, "rank 8"),
        ({"r": "four"}, "not a number"),
        ({"lora_alpha": float("nan")}, "not a number"),
        ({"rank_pattern": ["query"]}, "no object"),
    ],
)
def test_what_is_not_plain_lora_is_refused(
    tmp_path: Path, config: dict[str, Any], said: str
) -> None:
    """Other arithmetic, and what cannot be read, is named; no vector is given."""
    folder = adapt(build_tiny(tmp_path / "m"), **config)
    with pytest.raises(HotbedError, match=said):
        hotbed.load(folder)


@pytest.mark.parametrize(
    ("tensors", "said"),
    [
        ({}, "no factors"),
        ({f"base_model.model.{QUERY}.lora_A.weight": np.ones((4, 32))}, "one factor"),
        (factors() | {f"base_model.model.{QUERY}.bias": np.ones(32)}, "no factor of a LoRA sum"),
        (factors() | {f"base_model.model.{QUERY}.lora_magnitude_vector": np.ones(32)}, "no factor"),
        (factors("encoder.layer.7.attention.self.query"), "none of its base's tensors"),
        (factors("query"), "2 tensors"),
        (factors(size=16), "do not fit"),
        ({name: value * np.nan for name, value in factors().items()}, "NaN or infinity"),
        ({name: value[0] for name, value in factors().items()}, "have the shapes"),
    ],
)
def test_factors_that_do_not_fit_are_refused(tmp_path: Path, tensors: Factors, said: str) -> None:
    """A tensor that would be left out, or that belongs to another base, is named."""
    folder = adapt(build_tiny(tmp_path / "m"), tensors)
    with pytest.raises(HotbedError, match=said):
        hotbed.load(folder)


def test_an_adapter_without_its_base_names_it(tmp_path: Path) -> None:
    """An adapter alone, beside graphs alone, as a pickle: each says what to do."""
    folder = adapt(build_tiny(tmp_path / "m"), base_model_name_or_path="org/base")
    graphs = tmp_path / "graphs"
    hotbed.convert(folder, graphs)
    adapt(graphs)
    with pytest.raises(UnsupportedModelError, match="beside ONNX files"):
        hotbed.load(graphs)
    (folder / "adapter_model.safetensors").rename(folder / "adapter_model.bin")
    with pytest.raises(MissingFileError, match=r"adapter_model\.bin is a pickle"):
        hotbed.load(folder)
    (folder / "adapter_model.bin").rename(folder / "adapter_model.safetensors")
    for name in ("config.json", "model.safetensors"):
        (folder / name).unlink()
    with pytest.raises(MissingFileError, match="adapter alone; its base is 'org/base'"):
        hotbed.load(folder)


def test_graphs_beside_base_and_adapter_are_not_believed(tmp_path: Path) -> None:
    """Of a graph that lies there nobody knows whether the adapter is in it."""
    folder = build_tiny(tmp_path / "m")
    kept = tmp_path / "kept"
    hotbed.convert(folder, kept, with_weights=True)
    adapt(kept)
    with hotbed.load(kept) as model:
        assert model.decision.chosen is not None
        route = model.decision.chosen.route
        assert route is not None
        assert route.variant.format == "safetensors"
    np.testing.assert_allclose(encode(kept), encode(merged(tmp_path / "n", 2.0)), atol=1e-6)


@pytest.mark.parametrize("method", ["bitsandbytes", "gptq", "awq", "compressed-tensors", "fp8"])
def test_packed_weights_are_refused_by_name(tmp_path: Path, method: str) -> None:
    """``quantization_config`` says that the weights are not what their names say."""
    folder = build_tiny(tmp_path / "m")
    config = json.loads((folder / "config.json").read_text())
    config["quantization_config"] = {"quant_method": method}
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(UnsupportedModelError, match=method):
        hotbed.load(folder)


def test_a_damaged_configuration_is_named(tmp_path: Path) -> None:
    """An adapter_config.json that is no object is an error of the folder."""
    folder = adapt(build_tiny(tmp_path / "m"))
    (folder / "adapter_config.json").write_text("[1]")
    with pytest.raises(CorruptFileError, match=r"adapter_config\.json"):
        hotbed.load(folder)
