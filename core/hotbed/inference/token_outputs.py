"""What a model gives besides its dense vector: weights of tokens, and a vector for each token.

The rules are FlagEmbedding's for BGE-M3 (``inference/embedder/encoder_only/m3.py``): the sparse
vector leaves out special tokens and keeps the greatest weight of each other one, and the vectors
for late interaction leave out the first token.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from attrs import frozen
from numpy.typing import NDArray

from hotbed.models.token_heads import COLBERT, SPARSE

__all__ = ["COLBERT", "DENSE", "OUTPUTS", "SPARSE", "SparseVector", "join", "left_out", "sparse_of"]

DENSE = "dense"
OUTPUTS = (DENSE, SPARSE, COLBERT)
"""Names that ``Embedder.encode(outputs=...)`` takes."""

Floats = NDArray[np.float32]

_ROLES = {
    "cls_token": "<s>",
    "eos_token": "</s>",
    "pad_token": "<pad>",
    "unk_token": "<unk>",
}
"""Tokens that FlagEmbedding leaves out → what XLM-RoBERTa's tokenizer calls them by itself."""


@frozen(kw_only=True, eq=False)
class SparseVector:
    """The tokens of a text that have a weight; the names are fastembed's and vector databases'.

    Attributes:
        indices: Token numbers, ascending, (k,) int64.
        values: Their weights, above 0, (k,) float32.
    """

    indices: NDArray[np.int64]
    values: Floats

    def as_dict(self) -> dict[int, float]:
        """Token number → weight. FlagEmbedding's ``lexical_weights`` has the numbers as strings."""
        return dict(zip(self.indices.tolist(), self.values.tolist(), strict=True))

    def as_object(self) -> dict[str, NDArray[Any]]:
        """``values`` and ``indices`` as a dict."""
        return {"values": self.values, "indices": self.indices}

    def dot(self, other: SparseVector) -> float:
        """The lexical score of two texts: Σ wᵢvᵢ over the tokens that both have."""
        _, mine, others = np.intersect1d(
            self.indices, other.indices, assume_unique=True, return_indices=True
        )
        return float(self.values[mine] @ other.values[others])

    def __len__(self) -> int:
        return len(self.indices)


def sparse_of(ids: NDArray[np.int64], weights: Floats, unused: NDArray[np.int64]) -> SparseVector:
    """The greatest weight of each token of a text.

    Args:
        ids: The text's tokens, (tokens,).
        weights: Their weights, (tokens,).
        unused: Tokens to leave out.
    """
    if not np.isfinite(weights).all():  # kept, so that whoever looks for such numbers finds them
        weights = np.where(np.isfinite(weights), weights, np.float32(np.nan))
    kept = ~(weights <= 0) & ~np.isin(ids, unused)
    indices, places = np.unique(ids[kept], return_inverse=True)
    values = np.zeros(len(indices), np.float32)
    with np.errstate(invalid="ignore"):
        np.maximum.at(values, places, weights[kept])
    return SparseVector(indices=indices, values=values)


def left_out(config: Mapping[str, Any], backend: Any) -> NDArray[np.int64]:
    """Token numbers that no sparse vector holds: what starts, ends, pads, or is unknown.

    Args:
        config: ``tokenizer_config.json``; a name that it lacks is the tokenizer class's own.
        backend: A ``tokenizers.Tokenizer``.
    """
    is_xlmr = str(config.get("tokenizer_class", "")).startswith("XLMRoberta")
    found = set()
    for role, usual in _ROLES.items():
        token = config.get(role, usual if is_xlmr else None)
        name = token.get("content") if isinstance(token, dict) else token
        number = None if name is None else backend.token_to_id(name)
        if number is not None:
            found.add(number)
    return np.array(sorted(found), np.int64)


def join(parts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The outputs of several lists of texts as those of one; at least one part."""
    return {
        name: np.concatenate([part[name] for part in parts])
        if name == DENSE
        else [row for part in parts for row in part[name]]
        for name in parts[0]
    }
