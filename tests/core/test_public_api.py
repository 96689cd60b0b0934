"""The public names and signatures, pinned: changing one is a decision, not an accident."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import pytest

import hotbed
import hotbed.backends
from hotbed.backends import HotbedSpec


def _defaults(function: Callable[..., Any]) -> dict[str, Any]:
    """Parameter → default; ``...`` where it must be given."""
    return {
        name: ... if item.default is item.empty else item.default
        for name, item in inspect.signature(function).parameters.items()
    }


def _keyword_only(function: Callable[..., Any]) -> set[str]:
    parameters = inspect.signature(function).parameters.values()
    return {item.name for item in parameters if item.kind is item.KEYWORD_ONLY}


def test_names_of_the_package() -> None:
    """``hotbed`` offers these names and no others."""
    assert hotbed.__all__ == [
        "Deployment",
        "Embedder",
        "HotbedError",
        "HotbedWarning",
        "Registry",
        "SparseVector",
        "__version__",
        "convert",
        "load",
        "quantize",
        "quantize_embeddings",
        "refresh",
        "validate",
    ]


@pytest.mark.parametrize("name", hotbed.__all__)
def test_every_public_name_is_there(name: str) -> None:
    """Each lazy name resolves, and ``dir()`` shows it."""
    assert getattr(hotbed, name) is not None
    assert name in dir(hotbed)


def test_an_unknown_name_is_an_attribute_error() -> None:
    """A name that is not public is refused as Python refuses it."""
    with pytest.raises(AttributeError, match="no attribute 'loads'"):
        _ = hotbed.loads


def test_names_of_the_plugin_api() -> None:
    """``hotbed.backends`` offers plugin authors these names and no others."""
    assert sorted(hotbed.backends.__all__) == [
        "Artifact",
        "Capability",
        "ConvertTarget",
        "FileFormat",
        "HOOK_API",
        "HotbedSpec",
        "Layer",
        "LoadOptions",
        "Loaded",
        "Manifest",
        "Pooling",
        "Probe",
        "ProbeRequest",
        "Recipe",
        "TokenBatch",
        "Variant",
        "cpu_quota",
        "hookimpl",
        "probe_needs",
    ]
    assert all(hasattr(hotbed.backends, name) for name in hotbed.backends.__all__)


def test_signature_of_load() -> None:
    """``hotbed.load`` takes one positional argument; the others are keywords."""
    assert _defaults(hotbed.load) == {
        "model": ...,
        "backend": None,
        "device": "auto",
        "dtype": None,
        "revision": None,
        "token": None,
        "cache_folder": None,
        "local_files_only": False,
        "registry": None,
        "paranoid": None,
        "threads": None,
        "batch_invariant": False,
        "on_nonfinite": "error",
        "max_seq_length": None,
        "truncate_dim": None,
        "prompts": None,
        "default_prompt_name": None,
        "trust_remote_code": False,
        "house": None,
    }
    assert _keyword_only(hotbed.load) == set(_defaults(hotbed.load)) - {"model"}


def test_signature_of_encode() -> None:
    """``encode`` takes sentence-transformers 6's arguments, in its order, with its defaults.

    Departures: ``batch_size`` is a cap, and there are four more keywords, for integer ranges, for
    what some models give besides one vector, and for texts that are not Unicode.
    """
    assert list(_defaults(hotbed.Embedder.encode).items())[1:] == [
        ("inputs", ...),
        ("prompt_name", None),
        ("prompt", None),
        ("batch_size", None),
        ("show_progress_bar", None),
        ("output_value", "sentence_embedding"),
        ("precision", "float32"),
        ("convert_to_numpy", True),
        ("convert_to_tensor", False),
        ("device", None),
        ("normalize_embeddings", False),
        ("truncate_dim", None),
        ("ranges", None),
        ("calibration_embeddings", None),
        ("outputs", None),
        ("on_invalid_text", "error"),
    ]
    more = {"ranges", "calibration_embeddings", "outputs"}
    assert _keyword_only(hotbed.Embedder.encode) == more


def test_signatures_of_the_hooks() -> None:
    """The hooks and the arguments that a plugin may name."""
    hooks = {
        name: list(inspect.signature(function).parameters)[1:]
        for name, function in inspect.getmembers(HotbedSpec, inspect.isfunction)
    }
    assert hooks == {
        "hotbed_probe": ["request"],
        "hotbed_load": ["artifact", "options"],
        "hotbed_embed": ["loaded", "batch", "outputs", "in_flight"],
        "hotbed_pool": ["loaded", "token_embeddings", "attention_mask", "pooling_mask", "pooling"],
        "hotbed_convert": ["folder", "target", "out"],
        "hotbed_quantize": ["artifact", "recipe", "batches", "out"],
        "hotbed_layers": ["artifact"],
        "hotbed_close": ["loaded"],
    }
