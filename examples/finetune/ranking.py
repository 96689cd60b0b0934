"""nDCG@10 of a model on the queries held out, computed by ir_measures."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from collection import Collection
from numpy.typing import NDArray

__all__ = ["ndcg_at_10", "rankings"]

Encode = Callable[[list[str]], NDArray[np.float32]]

_KEPT = 100
"""Documents of a ranking that are handed to the judge; the measure looks at ten."""


def ndcg_at_10(collection: Collection, encode: Encode) -> float:
    """Rank every document for every held-out query by cosine, and ask ir_measures.

    Args:
        collection: The collection.
        encode: Gives (n, d) vectors of n texts.
    """
    import ir_measures
    from ir_measures import nDCG

    judged: dict[Any, float] = ir_measures.calc_aggregate(
        [nDCG @ 10], collection.test, rankings(collection, encode)
    )
    return float(judged[nDCG @ 10])


def rankings(collection: Collection, encode: Encode) -> dict[str, dict[str, float]]:
    """Held-out query → document → cosine, of its best documents."""
    names = list(collection.documents)
    documents = _unit(encode(list(collection.documents.values())))
    asked = list(collection.test)
    queries = _unit(encode([collection.queries[name] for name in asked]))
    scores = queries @ documents.T
    best = np.argsort(-scores, axis=1, kind="stable")[:, :_KEPT]
    return {
        query: {names[place]: float(row[place]) for place in places}
        for query, row, places in zip(asked, scores, best, strict=True)
    }


def _unit(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    scaled: NDArray[np.float32] = vectors / np.maximum(lengths, 1e-12)
    return scaled
