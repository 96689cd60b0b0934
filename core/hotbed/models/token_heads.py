"""BGE-M3's two further heads, which turn token embeddings into what FlagEmbedding searches with.

They stand beside the transformer's weights, each a linear layer that torch.save wrote, and
``modules.json`` does not name them (Chen et al. 2024, arXiv:2402.03216).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from attrs import frozen
from numpy.typing import NDArray

from hotbed.errors import CorruptFileError
from hotbed.models.torch_tensors import TorchTensors

__all__ = ["COLBERT", "SPARSE", "TOKEN_HEADS", "Linear", "read_linear"]

SPARSE, COLBERT = "sparse", "colbert"

TOKEN_HEADS = {SPARSE: "sparse_linear.pt", COLBERT: "colbert_linear.pt"}
"""Output → the file, in the transformer's folder, that it is made with."""

_NAMES = {"weight", "bias"}


@frozen(kw_only=True, eq=False)
class Linear:
    """A linear layer: x·Wᵀ + b.

    Attributes:
        weight: (out, in) float32.
        bias: (out,) float32.
    """

    weight: NDArray[np.float32]
    bias: NDArray[np.float32]


def read_linear(path: Path, inputs: int, outputs: int | None = None) -> Linear:
    """Read the file of one head.

    Args:
        path: The file.
        inputs: Width of the token embeddings.
        outputs: How many numbers it gives; None takes what the file holds.

    Raises:
        ModelError: The file is missing, is no linear layer, or does not fit.
    """
    tensors = TorchTensors.open(path)
    if set(tensors.tensors) != _NAMES:
        found = ", ".join(sorted(name[:40] for name in tensors.tensors)[:8]) or "nothing"
        raise CorruptFileError(f"{path} holds {found}; a linear layer's weight and bias expected")
    weight, bias = (tensors.float32(name) for name in ("weight", "bias"))
    rows = bias.size if outputs is None else outputs
    if weight.shape != (rows, inputs) or bias.shape != (rows,):
        raise CorruptFileError(
            f"{path} holds a weight of the shape {weight.shape} and a bias of {bias.shape}; the "
            f"transformer gives {inputs} numbers a token, so ({rows}, {inputs}) and ({rows},) are "
            f"expected"
        )
    return Linear(weight=weight, bias=bias)
