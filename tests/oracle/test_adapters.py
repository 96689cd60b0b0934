"""Adapters beside their base: sentence-transformers with peft is right."""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import hotbed
from hotbed.errors import HotbedError
from hotbed.testing import TEXTS, build_tiny

pytestmark = pytest.mark.filterwarnings("ignore")

KINDS: dict[str, dict[str, Any]] = {
    "queries and values": {"target_modules": ["query", "value"]},
    "rank-stabilised": {"target_modules": ["query", "dense"], "use_rslora": True, "lora_alpha": 3},
    "patterns": {
        "target_modules": ["query", "key"],
        "rank_pattern": {"query": 2, r"layer\.1\.attention\.self\.key": 3},
        "alpha_pattern": {"key": 5},
    },
    "a regular expression": {"target_modules": r".*layer\.\d+\.attention\.self\.(query|key)"},
    "one layer": {"target_modules": ["query"], "layers_to_transform": [1]},
    "all linear layers": {"target_modules": "all-linear"},
    "the table of words": {"target_modules": ["word_embeddings", "value"]},
}


def adapted(folder: Path, **config: Any) -> Path:
    """A tiny BERT with an adapter of random factors beside it, saved by peft."""
    peft, torch = importlib.import_module("peft"), importlib.import_module("torch")
    transformers = importlib.import_module("transformers")
    build_tiny(folder)
    torch.manual_seed(1)
    base = transformers.AutoModel.from_pretrained(folder)
    model = peft.get_peft_model(base, peft.LoraConfig(**{"r": 4, "lora_alpha": 16, **config}))
    with torch.no_grad():
        for name, values in model.named_parameters():
            if "lora_" in name:
                values.normal_(0, 0.3)
    model.save_pretrained(folder)
    written = folder / "adapter_config.json"
    held = json.loads(written.read_text())
    held["base_model_name_or_path"] = str(folder)
    written.write_text(json.dumps(held))
    return folder


@pytest.mark.parametrize("kind", KINDS)
def test_adapters_are_added_as_peft_does(tmp_path: Path, kind: str) -> None:
    """The same vectors, converted and in PyTorch, and others than the base's."""
    st = importlib.import_module("sentence_transformers")
    folder = adapted(tmp_path / "m", **KINDS[kind])
    right = st.SentenceTransformer(str(folder), device="cpu").encode(list(TEXTS))
    plain = build_tiny(tmp_path / "plain")
    with hotbed.load(plain) as base, hotbed.load(folder) as model:
        found = model.encode(list(TEXTS))
        assert np.abs(found - base.encode(list(TEXTS))).max() > 1e-3
        np.testing.assert_allclose(found, right, atol=2e-5)
    with hotbed.load(folder, backend="pytorch") as model:
        np.testing.assert_allclose(model.encode(list(TEXTS)), right, atol=2e-5)


@pytest.mark.parametrize(
    "config",
    [
        {"target_modules": ["query"], "use_dora": True},
        {"target_modules": ["query"], "bias": "all"},
        {"target_modules": ["query"], "modules_to_save": ["pooler"]},
        {"target_modules": ["query"], "lora_bias": True},
        {"target_modules": ["query"], "init_lora_weights": "pissa"},
        {"target_modules": ["query"], "trainable_token_indices": [5]},
    ],
)
def test_what_is_more_than_the_sum_is_refused(tmp_path: Path, config: dict[str, Any]) -> None:
    """What peft would do besides is named, and no vector is given."""
    folder = adapted(tmp_path / "m", **config)
    with pytest.raises(HotbedError, match="merge_and_unload"):
        hotbed.load(folder)
