"""Compare sizes that ``config.json`` states with the tensors that are there, before either is used.

Reading the header of the weights costs a millisecond. Without it a folder of 75 kB that claims
20,000 layers makes whoever builds them take gigabytes, or never end.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from hotbed.errors import CorruptFileError

__all__ = ["DEPTHS", "prove_sizes"]

DEPTHS = ("num_hidden_layers", "n_layers", "n_layer")
_WIDTHS = ("hidden_size", "dim", "n_embd")

_LAYER = re.compile(r"(?:^|\.)layers?\.(\d{1,9})\.")
_TABLES = ("word_embeddings.weight", "tok_embeddings.weight", "embed_tokens.weight")


def prove_sizes(
    config: Mapping[str, Any], path: Path, shapes: Mapping[str, tuple[int, ...]]
) -> None:
    """Refuse a depth or a width that the tensors contradict.

    Args:
        config: ``config.json``.
        path: The weights, for messages.
        shapes: Tensor → shape.

    Raises:
        CorruptFileError: They disagree; both numbers are named.
    """
    mistakes = [*_depth(config, shapes), *_width(config, shapes)]
    if mistakes:
        raise CorruptFileError(
            f"{path} and config.json disagree: {'; '.join(mistakes)}. Save the model again with "
            f"its own config.json"
        )


def _depth(config: Mapping[str, Any], names: Iterable[str]) -> list[str]:
    key = next((key for key in DEPTHS if isinstance(config.get(key), int)), None)
    numbers = {int(match[1]) for name in names if (match := _LAYER.search(name))}
    if key is None or not numbers or config[key] <= max(numbers) + 1:
        return []
    held = max(numbers) + 1
    return [f"{key} is {config[key]}, and {held} layers are there: no tensor of layer {held}"]


def _width(config: Mapping[str, Any], shapes: Mapping[str, tuple[int, ...]]) -> list[str]:
    key = next((key for key in _WIDTHS if isinstance(config.get(key), int)), None)
    table = next((name for name in shapes if name.endswith(_TABLES)), None)
    if key is None or table is None or shapes[table][-1:] == (config[key],):
        return []
    return [f"{key} is {config[key]}, and the tensor {table!r} has the shape {shapes[table]}"]
