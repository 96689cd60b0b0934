"""What it costs to look at every result for NaN and infinity.

>>> python benchmarks/finite.py  # doctest: +SKIP

Times ``encode`` with ``on_nonfinite="error"`` and ``"allow"`` in turn on one model, and the check
alone on arrays of the same shape; prints medians. Threads and texts are stated.
"""

from __future__ import annotations

import statistics
import sys
import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

import hotbed
from hotbed.inference.finite import check_finite
from hotbed.tuning.texts import mixed_texts

ROUNDS = 7
TEXTS = 512


def seconds(work: Callable[[], Any]) -> float:
    """How long one call takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def main() -> None:
    """Measure both ways side by side."""
    warnings.simplefilter("ignore")
    name = sys.argv[1] if len(sys.argv) > 1 else "all-MiniLM-L6-v2"
    texts = mixed_texts(TEXTS)
    with (
        hotbed.load(name, threads=2) as looks,
        hotbed.load(name, threads=2, on_nonfinite="allow") as trusts,
    ):
        times: dict[str, list[float]] = {"error": [], "allow": [], "check": []}
        vectors = looks.encode(texts)
        trusts.encode(texts)
        for _ in range(ROUNDS):
            times["error"].append(seconds(lambda: looks.encode(texts)))
            times["allow"].append(seconds(lambda: trusts.encode(texts)))
            alone = seconds(lambda: check_finite(vectors, "error", 0, name))
            times["check"].append(alone)
        short = [seconds(lambda: looks.encode("a short query")) for _ in range(200)]
        one = np.ascontiguousarray(vectors[:1])
        single = [seconds(lambda: check_finite(one, "error", 0, name)) for _ in range(200)]
    middle = {key: statistics.median(values) for key, values in times.items()}
    print(f"{name}: {TEXTS} texts of the standard mix, 2 threads, medians of {ROUNDS}")
    print(f"encode, looking:     {middle['error']:.3f} s")
    print(f"encode, not looking: {middle['allow']:.3f} s")
    print(f"the check alone:     {middle['check'] * 1e3:.3f} ms, "
          f"{middle['check'] / middle['allow']:.4%} of encode")  # fmt: skip
    share = statistics.median(single) / statistics.median(short)
    print(f"one short text:      {statistics.median(single) * 1e6:.1f} µs of "
          f"{statistics.median(short) * 1e6:.0f} µs, {share:.3%}")  # fmt: skip


if __name__ == "__main__":
    main()
