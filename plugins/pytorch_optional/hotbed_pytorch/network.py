"""Transformer, pooling and heads as one module of PyTorch's, with sentence-transformers' parts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hotbed.errors import CorruptFileError, UnsupportedModelError
from hotbed.models import Dense, LayerNorm, ModelFolder, Normalize
from hotbed_pytorch.transformer import open_transformer

__all__ = ["hidden_size", "open_network"]

_WIDTHS = ("hidden_size", "d_model", "dim")


def open_network(folder: ModelFolder, weights: Path, dtype: Any) -> Any:
    """Open a folder as a module: (token embeddings, sentence embeddings), both float32.

    The transformer computes in ``dtype``. Pooling and heads compute in float32 wherever they run:
    they cost next to nothing, and a sum over tokens is where 16 bits lose most.

    Args:
        folder: The model folder.
        weights: The transformer's weights.
        dtype: A ``torch.dtype``.

    Returns:
        A ``torch.nn.Module`` of (input_ids, attention_mask, pooling_mask), each (batch, tokens)
        int64, in evaluation mode and without gradients, on the CPU.
    """
    import torch

    class Network(torch.nn.Module):  # type: ignore[misc]  # PyTorch is not imported where mypy runs
        def __init__(self) -> None:
            super().__init__()
            self.transformer = open_transformer(folder, weights, dtype)
            self.tail = torch.nn.ModuleList(_tail(folder, hidden_size(self.transformer.config)))

        def forward(
            self, input_ids: Any, attention_mask: Any, pooling_mask: Any
        ) -> tuple[Any, Any]:
            tokens = self.tokens(input_ids, attention_mask)
            features = {"token_embeddings": tokens, "attention_mask": pooling_mask}
            for module in self.tail:
                features = module(features)
            return tokens, features["sentence_embedding"]

        def tokens(self, input_ids: Any, attention_mask: Any) -> Any:
            found = self.transformer(input_ids=input_ids, attention_mask=attention_mask)
            return found[0].to(torch.float32)

    return Network().eval().requires_grad_(False)


def hidden_size(config: Any) -> int:
    """Width of a token embedding."""
    for name in _WIDTHS:
        if isinstance(width := getattr(config, name, None), int):
            return width
    raise UnsupportedModelError(
        f"the configuration of {config.model_type!r} states none of {', '.join(_WIDTHS)}"
    )


def _tail(folder: ModelFolder, width: int) -> list[Any]:
    """sentence-transformers' own modules, from the files that it would read itself."""
    import torch
    from sentence_transformers.sentence_transformer import modules

    kinds = {Dense: modules.Dense, LayerNorm: modules.LayerNorm}
    found = [modules.Pooling(width, pooling_mode=folder.pipeline.pooling.modes)]
    for head in folder.pipeline.heads:
        if isinstance(head, Normalize):  # it holds nothing, and its folder may not exist
            found.append(modules.Normalize())
            continue
        try:
            module = kinds[type(head)].load(
                str(folder.path), subfolder=head.path, local_files_only=True
            )
        except Exception as error:  # it raises what safetensors, json and torch raise
            raise CorruptFileError(
                f"{folder.path / head.path} cannot be opened by sentence-transformers: "
                f"{type(error).__name__}: {error}"
            ) from error
        found.append(module.to(torch.float32))
    return found
