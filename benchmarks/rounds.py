"""Time contenders in turn, so that whatever disturbs the machine disturbs all of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Encode", "Floats", "Rows", "compare", "in_turn", "queries", "spread"]

Floats = NDArray[np.float32]
Encode = Callable[[Sequence[str]], Floats]
Rows = list[dict[str, Any]]


def in_turn(
    contenders: Mapping[str, Encode], texts: Sequence[str], rounds: int
) -> dict[str, list[float]]:
    """Seconds of each contender in each round, after a whole pass that is not counted.

    The order turns with the rounds, so that nobody always runs behind the same neighbour.
    """
    names = list(contenders)
    for encode in contenders.values():
        encode(texts)
    seconds: dict[str, list[float]] = {name: [] for name in names}
    for number in range(rounds):
        turn = number % len(names)
        for name in names[turn:] + names[:turn]:
            start = time.perf_counter()
            contenders[name](texts)
            seconds[name].append(time.perf_counter() - start)
    return seconds


def queries(
    contenders: Mapping[str, Encode], text: str, rounds: int, calls: int
) -> dict[str, list[float]]:
    """Median seconds of one short text for each contender in each round."""

    def median(encode: Encode) -> float:
        times = []
        for _ in range(calls):
            start = time.perf_counter()
            encode([text])
            times.append(time.perf_counter() - start)
        return float(np.median(times))

    found: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, encode in contenders.items():
            encode([text])
            found[name].append(median(encode))
    return found


def spread(values: Sequence[float]) -> dict[str, float]:
    """Median, least and greatest."""
    return {
        "median": float(np.median(values)),
        "min": float(np.min(values)),
        "max": float(np.max(values)),
    }


def compare(
    contenders: Mapping[str, Encode],
    baseline: str,
    texts: Sequence[str],
    query: str,
    *,
    rounds: int,
    calls: int = 30,
) -> Rows:
    """Measure all of them; ratios are taken round by round against the baseline of that round."""
    seconds = in_turn(contenders, texts, rounds)
    short = queries(contenders, query, rounds, calls)
    reference = contenders[baseline](texts)
    return [
        {
            "name": name,
            "texts_per_s": spread([len(texts) / took for took in seconds[name]]),
            "ratio": _ratios(seconds[baseline], seconds[name]),
            "cosine": _cosines(encode(texts), reference),
            "query_ms": spread([1000 * took for took in short[name]]),
            # As in the goals: the share of the baseline's time, so less is better.
            "query_share": _ratios(short[name], short[baseline]),
        }
        for name, encode in contenders.items()
    ]


def _ratios(above: Sequence[float], below: Sequence[float]) -> dict[str, float]:
    return spread([a / b for a, b in zip(above, below, strict=True)])


def _cosines(vectors: Floats, reference: Floats) -> dict[str, float]:
    a, b = vectors.astype(np.float64), reference.astype(np.float64)
    lengths = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    cosines = (a * b).sum(axis=1) / lengths
    return {"lowest": float(cosines.min()), "mean": float(cosines.mean())}
