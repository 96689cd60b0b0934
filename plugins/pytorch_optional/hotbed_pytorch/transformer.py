"""A folder's transformer, opened by transformers and never by code from the folder."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

from hotbed.errors import CorruptFileError, UnsupportedModelError
from hotbed.models import ModelFolder
from hotbed_pytorch.checkpoint import read_tensors
from hotbed_pytorch.quiet import quietly

__all__ = ["open_transformer"]

_UNUSED = ("pooler.",)
"""Beginnings of tensors that token embeddings do not pass through."""
_ADAPTERS = ("lora_", "adapter")
"""Parts of names that change the vectors and that transformers would leave out."""
_SHOWN = 3


def open_transformer(folder: ModelFolder, weights: Path, dtype: Any) -> Any:
    """Build the transformer that ``config.json`` describes, with the weights of a file.

    Args:
        folder: The model folder.
        weights: The file, or the index of its shards; it need not lie in the folder.
        dtype: A ``torch.dtype``; the weights are cast to it.

    Returns:
        A ``PreTrainedModel`` in evaluation mode, on the CPU.

    Raises:
        UnsupportedModelError: transformers does not know the architecture.
        CorruptFileError: The weights do not fit the configuration, or are not finite.
    """
    if not folder.config.get("model_type") or folder.pipeline.is_static:
        raise UnsupportedModelError(f"{folder.name} has no transformer for PyTorch to run")
    tensors = _with_adapter(folder, weights, read_tensors(weights))
    with quietly():
        model, report = _open(folder, tensors, dtype)
    _refuse_misfits(weights, report)
    _refuse_not_finite(weights, model)
    model.config.use_cache = False  # a text is read once; nothing is generated
    return model.eval()


def _with_adapter(folder: ModelFolder, weights: Path, tensors: dict[str, Any]) -> dict[str, Any]:
    """Add the adapter that lies beside the weights, as the core does."""
    import torch

    from hotbed.models.adapter import open_adapter

    adapter = open_adapter(folder.root, tensors) if weights.parent == folder.root else None
    for name in adapter.sums if adapter else ():
        assert adapter is not None
        tensors[name] = torch.from_numpy(adapter.add(name, tensors[name].float().numpy()))
    return tensors


def _open(folder: ModelFolder, tensors: dict[str, Any], dtype: Any) -> tuple[Any, dict[str, Any]]:
    try:
        config, kind = _class_of(folder)
        # Flash attention reads lengths, not masks, and rounds to 16 bits; these two do neither.
        attention = "sdpa" if kind._supports_sdpa else "eager"
        opened: tuple[Any, dict[str, Any]] = kind.from_pretrained(
            None,
            config=config,
            state_dict=tensors,
            dtype=dtype,
            attn_implementation=attention,
            output_loading_info=True,
        )
    except (RuntimeError, ValueError, TypeError, KeyError, AttributeError) as error:
        # transformers raises whatever its parts raise.
        said = str(error).strip().splitlines()[0] if str(error).strip() else ""
        raise UnsupportedModelError(
            f"{folder.name}: transformers cannot open model_type {folder.family!r} with this "
            f"config.json and these weights: {type(error).__name__}: {said}"
        ) from error
    return opened


def _class_of(folder: ModelFolder) -> tuple[Any, Any]:
    """The configuration and the class; of an encoder with a decoder, the encoder's."""
    import transformers

    # Without the name of a repository there is nothing to fetch code from.
    config = transformers.AutoConfig.from_pretrained(
        str(folder.root), trust_remote_code=False, local_files_only=True
    )
    tables = [transformers.MODEL_MAPPING]
    if getattr(config, "is_encoder_decoder", False):
        tables = [transformers.MODEL_FOR_TEXT_ENCODING_MAPPING]
    for table in tables:
        if type(config) in table:
            found = table[type(config)]
            return config, _masked(found[0] if isinstance(found, tuple) else found)
    raise UnsupportedModelError(
        f"{folder.name}: transformers has no text encoder for model_type {folder.family!r}"
    )


def _masked(kind: Any) -> Any:
    if "attention_mask" in inspect.signature(kind.forward).parameters:
        return kind
    raise UnsupportedModelError(
        f"{kind.__name__} takes no attention mask, so a text's vector would depend on its padding"
    )


def _refuse_misfits(weights: Path, report: dict[str, Any]) -> None:
    """transformers fills what is missing with random numbers; that would be another model."""
    wrong = []
    absent = sorted(n for n in report["missing_keys"] if not n.startswith(_UNUSED))
    if absent:
        wrong.append(f"it holds no tensor {_some(absent)}")
    misshapen = sorted(str(item) for item in report.get("mismatched_keys", ()))
    if misshapen:
        wrong.append(f"tensors of another shape: {_some(misshapen)}")
    spare = [n for n in report["unexpected_keys"] if any(part in n for part in _ADAPTERS)]
    if spare:
        wrong.append(f"it holds the adapters {_some(sorted(spare))}, which have to be merged")
    if wrong:
        raise CorruptFileError(
            f"{weights} and config.json disagree: {'; '.join(wrong)}. Save the model again with "
            f"its own config.json"
        )


def _some(names: list[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(repr(name) for name in names[:_SHOWN]) + more


def _refuse_not_finite(weights: Path, model: Any) -> None:
    import torch

    for name, values in model.named_parameters():
        if values.numel() and not all(torch.isfinite(end) for end in torch.aminmax(values)):
            raise CorruptFileError(
                f"{weights}: the tensor {name!r} holds NaN or infinity as {values.dtype}; every "
                f"vector would be spoilt. Save the model again from a sound checkpoint"
            )
