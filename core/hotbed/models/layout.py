"""The sentence-transformers folder layout, as data."""

from __future__ import annotations

from collections.abc import Iterable

from hotbed.backends.manifest import FileFormat
from hotbed.backends.values import Variant

__all__ = [
    "CONFIG",
    "MODULES",
    "PICKLE",
    "SENTENCE_CONFIG",
    "TOKENIZER",
    "TOKENIZER_CONFIG",
    "TRANSFORMER_CONFIGS",
    "WEIGHTS",
    "brought_variants",
    "format_folder",
    "is_metadata",
    "onnx_storage",
    "onnx_suffixes",
    "onnx_variants",
]

MODULES = "modules.json"
SENTENCE_CONFIG = "config_sentence_transformers.json"
CONFIG = "config.json"
TOKENIZER = "tokenizer.json"
TOKENIZER_CONFIG = "tokenizer_config.json"
WEIGHTS = "model.safetensors"
PICKLE = "pytorch_model.bin"
"""Where libraries kept weights before safetensors; the core never opens one."""

TRANSFORMER_CONFIGS = (
    "sentence_bert_config.json",
    "sentence_roberta_config.json",
    "sentence_distilbert_config.json",
    "sentence_camembert_config.json",
    "sentence_albert_config.json",
    "sentence_xlm-roberta_config.json",
    "sentence_xlnet_config.json",
)
"""Where the Transformer module keeps its own settings; the legacy names come after the first."""

_METADATA_SUFFIXES = (".json", ".txt", ".md", ".model")

# Suffix of an ONNX file → (storage, what it means). The hub's names: Transformers.js dtypes, then
# optimum's optimisation levels and quantisation targets.
_ONNX_SUFFIXES: dict[str, tuple[str, str]] = {
    "": ("float32", ""),
    "_fp16": ("float16", ""),
    "_int8": ("int8", "8-bit integers, signed"),
    "_uint8": ("uint8", "8-bit integers, unsigned"),
    "_quantized": ("q8", "8-bit integers, signedness unstated"),
    "_w8": ("w8", "8-bit blocks"),
    "_q4": ("q4", "4-bit blocks"),
    "_q4f16": ("q4f16", "4-bit blocks, float16 elsewhere"),
    "_bnb4": ("bnb4", "4-bit blocks as in bitsandbytes"),
    "_O1": ("float32", "optimum level O1: basic optimisations"),
    "_O2": ("float32", "optimum level O2: fused operators"),
    "_O3": ("float32", "optimum level O3: fused operators, approximate GELU"),
    "_O4": ("float16", "optimum level O4: O3 in float16, for GPUs"),
    "_qint8_arm64": ("int8", "8-bit integers for ARM64"),
    "_qint8_avx2": ("int8", "8-bit integers for x86 with AVX2"),
    "_quint8_avx2": ("uint8", "8-bit integers for x86 with AVX2"),
    "_qint8_avx512": ("int8", "8-bit integers for x86 with AVX-512"),
    "_qint8_avx512_vnni": ("int8", "8-bit integers for x86 with AVX-512 VNNI"),
}
_PROFILES = ("cpu", "cuda", "webgpu")
# O3 approximates GELU, so it is not the model's own arithmetic and is never picked by itself.
_INEXACT = ("_O3",)


def brought_variants(
    formats: Iterable[FileFormat], files: Iterable[str], prefix: str = ""
) -> list[Variant]:
    """The runnable files in formats that backends bring.

    Args:
        formats: The formats.
        files: The model folder's files.
        prefix: The transformer's folder with its slash; ``""`` for the root.
    """
    found: dict[tuple[str, str], Variant] = {}  # two backends may bring one format
    for kind in formats:
        place = f"{kind.folder}/" if kind.folder else ""
        start, end = f"{prefix}{place}{kind.stem}", kind.suffix
        for file in sorted(files, key=lambda name: (len(name), name)):
            if not (file.startswith(start) and file.endswith(end)):
                continue
            between = file.removeprefix(start).removesuffix(end)
            if "/" not in between:
                storage = kind.storages.get(between, "unknown")
                variant = Variant(format=kind.name, file=file, storage=storage)
                found.setdefault((kind.name, file), variant)
    return list(found.values())


def format_folder(name: str, formats: Iterable[FileFormat] = ()) -> str:
    """Where a format's files lie, below the transformer's folder: ``onnx/``, the root, its own."""
    brought = {kind.name: kind.folder for kind in formats}
    return {"onnx": "onnx", "safetensors": "", **brought}.get(name, name)


def is_metadata(name: str) -> bool:
    """Whether a file is small and always wanted: configuration, tokenizer, card."""
    return name.endswith(_METADATA_SUFFIXES) and name.count("/") <= 1


def onnx_suffixes() -> tuple[str, ...]:
    """What may follow ``model`` in the name of an ONNX file that is read."""
    return tuple(_ONNX_SUFFIXES)


def onnx_storage(stem: str) -> tuple[str, str, str]:
    """Read an ONNX file's stem: ``onnx_storage("model_q4") == ("q4", "portable", "4-bit blocks")``.

    Returns:
        Storage, profile, and a note in words. An unknown suffix gives storage ``unknown``.
    """
    suffix = stem.removeprefix("model")
    profile, _, rest = suffix.removeprefix("_").partition("_")
    shaped = profile in _PROFILES
    suffix = f"_{rest}" * bool(rest) if shaped else suffix
    storage, note = _ONNX_SUFFIXES.get(suffix, ("unknown", f"unknown suffix {suffix!r}"))
    if suffix in _INEXACT:
        storage = "unknown"
    if shaped:
        return storage, profile, "; ".join(filter(None, (note, "shaped for one kind of machine")))
    return storage, "portable", note


def onnx_variants(files: Iterable[str], prefix: str = "") -> list[Variant]:
    """Every ``model*.onnx`` of a transformer's folder or its ``onnx/``; ``model.onnx`` first.

    Args:
        files: The model folder's files.
        prefix: The transformer's folder with its slash; ``""`` for the root.
    """
    found = []
    for file in sorted(files, key=lambda name: (len(name.rpartition("/")[2]), name)):
        place, _, name = file.rpartition("/")
        places = (prefix.rstrip("/"), f"{prefix}onnx")
        if place not in places or not name.startswith("model") or not name.endswith(".onnx"):
            continue
        storage, profile, note = onnx_storage(name.removesuffix(".onnx"))
        found.append(Variant(format="onnx", file=file, storage=storage, profile=profile, note=note))
    return found
