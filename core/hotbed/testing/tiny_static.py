"""Tiny static embeddings, as sentence-transformers and model2vec write them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hotbed.testing.tiny import bert_config, build_tiny

__all__ = ["build_static", "model2vec_config", "static_config", "static_tensors"]

_WIDTH = 16
_OWN = ("model_type", "max_length", "normalize", "hidden_dim", "embedding_dtype")
"""What model2vec writes; the other keys are for tests."""


def static_config(**changes: Any) -> dict[str, Any]:
    """What tests ask a tiny StaticEmbedding's configuration; its folder has none."""
    sizes = {"vocab_size": bert_config()["vocab_size"], "hidden_dim": _WIDTH, "pad_token_id": 0}
    return {"model_type": "static", **sizes, **changes}


def model2vec_config(**changes: Any) -> dict[str, Any]:
    """A ``config.json`` of a tiny model2vec."""
    own = {"model_type": "model2vec", "max_length": 512, "normalize": True}
    return static_config(**{**own, "embedding_dtype": "float32", **changes})


def static_tensors(
    config: Mapping[str, Any], seed: int = 0, dialect: str = "embedding.weight"
) -> dict[str, NDArray[Any]]:
    """A random table.

    Args:
        config: For its sizes.
        seed: For the random numbers.
        dialect: ``embedding.weight``; ``embeddings``; or ``quantised``, which is model2vec's with
            a third of the rows, and a mapping and weights for the tokens.
    """
    rng = np.random.default_rng(seed)
    tokens, width = config["vocab_size"], config["hidden_dim"]
    if dialect != "quantised":
        return {dialect: rng.normal(size=(tokens, width)).astype(np.float32)}
    return {
        "embeddings": rng.normal(size=(tokens // 3, width)).astype(np.float32),
        "mapping": rng.integers(0, tokens // 3, tokens),
        "weights": rng.uniform(0.1, 2, tokens).astype(np.float32),
    }


def build_static(
    folder: Path,
    *,
    whole: Mapping[str, Any],
    tensors: Mapping[str, NDArray[Any]],
    place: str = "",
    **options: Any,
) -> Path:
    """Write a tiny static embedding.

    Args:
        folder: Where.
        whole: As ``static_config`` or ``model2vec_config`` gives; the first is not written.
        tensors: The weights.
        place: The module's folder, ``0_StaticEmbedding`` as older versions wrote it, or the root.
        **options: Arguments of ``build_tiny``: heads, prompts.
    """
    build_tiny(folder, whole={"hidden_size": whole["hidden_dim"]}, tensors=tensors, **options)
    shutil.rmtree(folder / "1_Pooling")
    for name in ("config.json", "sentence_bert_config.json", "tokenizer_config.json"):
        (folder / name).unlink()
    is_model2vec = whole["model_type"] == "model2vec"
    if is_model2vec:
        own = {key: whole[key] for key in _OWN if key in whole}
        (folder / "config.json").write_text(json.dumps(own), encoding="utf-8")
        (folder / "config_sentence_transformers.json").unlink()
    modules = json.loads((folder / "modules.json").read_text(encoding="utf-8"))
    kind = "sentence_transformers.models.StaticEmbedding"
    first = {**modules[0], "type": kind, "path": "." if is_model2vec else place}
    (folder / "modules.json").write_text(json.dumps([first, *modules[2:]]), encoding="utf-8")
    if place:
        (folder / place).mkdir()
        for name in ("model.safetensors", "tokenizer.json"):
            (folder / name).rename(folder / place / name)
    return folder
