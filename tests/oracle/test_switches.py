"""Every key of transformers' configuration classes is read, known to change nothing, or refused."""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hotbed import Embedder
from hotbed.errors import CorruptFileError, UnsupportedModelError
from hotbed.models.keys import ARCHITECTURES, CONFIG_KEYS
from hotbed.testing.tiny_families import TINY, build_family
from hotbed_onnx.switches import ALIASES, NEUTRAL, followed_values
from tests.oracle.pair import Pair, edit

FAMILIES = sorted(set(TINY) - {"static", "model2vec", "new"})  # "new" is the hub's own code
FEW = ("distilbert", "gemma3_text", "gte", "modernbert", "roberta")
OTHER_BUILDER = {"gemma3_text": {"attn_logit_softcapping", "_sliding_window_pattern"}}
"""Keys that the family's own file refuses, and a name of transformers' for a key that is read."""


@pytest.mark.parametrize("family", FAMILIES)
def test_no_key_is_overlooked(torch: Any, family: str) -> None:
    """A newer transformers that knows more keys fails here, until somebody has looked at them."""
    transformers = importlib.import_module("transformers")
    config = transformers.CONFIG_MAPPING[family]()
    plain = {key for key in vars(transformers.PretrainedConfig()) if key.startswith("_")}
    known = {*ARCHITECTURES[family], *CONFIG_KEYS, *followed_values(family), *NEUTRAL}
    assert set(vars(config)) - plain - known - OTHER_BUILDER.get(family, set()) == set()
    assert dict(type(config).attribute_map) == ALIASES.get(family, {})


@pytest.mark.parametrize("family", FEW)
def test_neutral_keys(tmp_path: Path, pair: Callable[..., Pair], family: str) -> None:
    """Those that are known to change nothing do not, all of them at once."""
    folder = build_family(tmp_path / "m", family)
    known = vars(importlib.import_module("transformers").CONFIG_MAPPING[family]())
    changes: dict[str, Any] = {"output_hidden_states": True, "output_attentions": True}
    for key in NEUTRAL & set(known):
        if type(known[key]) in (float, bool):
            changes[key] = not known[key] if type(known[key]) is bool else 0.25
        elif key.endswith("_token_id"):
            changes[key] = 5
    changes.pop("return_dict", None)
    edit(folder / "config.json", **changes)
    pair(folder).agree(["a dog", "the cat runs and the dog runs", "a"])


@pytest.mark.parametrize("family", ["bert", "modernbert"])
def test_a_causal_encoder(
    tmp_path: Path, st: Callable[..., Any], hb: Callable[..., Embedder], family: str
) -> None:
    """transformers makes it causal where a batch has no padding, so that the batch decides."""
    folder = build_family(tmp_path / "m", family)
    edit(folder / "config.json", is_causal=True)
    model = st(folder)
    alone, beside = model.encode(["a dog"])[0], model.encode(["a dog", "a dog and a cat"])[0]
    assert np.abs(alone - beside).max() > 0.01
    with pytest.raises(UnsupportedModelError, match="is_causal is set"):
        hb(folder)


def test_a_second_name(tmp_path: Path, st: Callable[..., Any], hb: Callable[..., Embedder]) -> None:
    """transformers follows the later of two names for one key; hotbed asks which is meant."""
    family, key, value = "distilbert", "num_hidden_layers", 1
    folder = build_family(tmp_path / "m", family)
    before = st(folder).encode("a dog")
    edit(folder / "config.json", **{key: value})
    assert np.abs(st(folder).encode("a dog") - before).max() > 0.01
    with pytest.raises(CorruptFileError, match=key):
        hb(folder)
    wanted = json.loads((folder / "config.json").read_text(encoding="utf-8"))[ALIASES[family][key]]
    edit(folder / "config.json", **{key: wanted})
    np.testing.assert_allclose(hb(folder).encode("a dog"), before, atol=1e-5)
