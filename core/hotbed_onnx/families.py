"""Which families and profiles the builder knows. Light: manifests read it."""

from __future__ import annotations

__all__ = ["BUILDER_VERSION", "FAMILIES", "PROFILES"]

BUILDER_VERSION = 4
"""Counts up whenever the same folder would give another graph; part of the cache key."""

_HERE = "hotbed_onnx.architectures"

FAMILIES = {
    "bert": f"{_HERE}.bert",
    "camembert": f"{_HERE}.roberta",
    "distilbert": f"{_HERE}.distilbert",
    "gemma3_text": f"{_HERE}.gemma3",
    "gte": f"{_HERE}.gte",
    "model2vec": f"{_HERE}.static",
    "modernbert": f"{_HERE}.modernbert",
    "mpnet": f"{_HERE}.mpnet",
    "new": f"{_HERE}.gte",
    "nomic_bert": f"{_HERE}.nomic_bert",
    "qwen3": f"{_HERE}.qwen3",
    "roberta": f"{_HERE}.roberta",
    "static": f"{_HERE}.static",
    "xlm-roberta": f"{_HERE}.roberta",
}
"""``config.model_type`` → the module that describes the architecture."""

PROFILES = {
    "portable": "hotbed_onnx.profiles.portable",
    "cpu": "hotbed_onnx.profiles.cpu",
}
"""Profile → the module that emits its operators."""
