"""Several models in one process: what threads that wait in a loop cost whoever else runs.

    python benchmarks/several.py --threads 2 --json several.json

The bare runtime opens the graph that hotbed built, twice with its default and twice with
``session.force_spinning_stop``, as hotbed opens it; a query goes to one model, to two in turn, and
to one after a pause.
"""

# ruff: noqa: TID251 - the bare runtime is what is measured here

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from machine import describe, show, spread_in_words
from mix import MODEL
from rounds import spread
from written import write

_PACKAGES = ("hotbed", "onnxruntime")
_TOKENS = 12
_CALLS = 200
_PAUSE = 0.01
_WAYS = {"spinning (onnxruntime's default)": "0", "stopped (hotbed's)": "1"}
Query = Callable[[], object]


def main() -> None:
    """Measure, print, write the JSON."""
    parser = argparse.ArgumentParser(description="Measure two models in one process.")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--json", type=Path, help="where the figures are written")
    args = parser.parse_args()
    facts = describe(_PACKAGES, args.threads)
    with tempfile.TemporaryDirectory() as place:
        graph = next(write(MODEL, Path(place) / "m", profile="cpu").glob("onnx/*.onnx"))
        found = _measure(graph, args.threads, args.rounds)
    rows = [
        {"threads": way, "calls": calls, **spread(values)}
        for way, columns in found.items()
        for calls, values in columns.items()
    ]
    result = {"machine": facts, "rows": rows}
    _print(result)
    if args.json:
        args.json.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


def _measure(graph: Path, threads: int, rounds: int) -> dict[str, dict[str, list[float]]]:
    """Milliseconds of a query, the median of each round; the ways take turns."""
    pairs = {way: [_query(graph, threads, entry) for _ in range(2)] for way, entry in _WAYS.items()}
    found: dict[str, dict[str, list[float]]] = {way: {} for way in _WAYS}
    for _ in range(rounds + 1):  # the first is not counted
        for way, (one, other) in pairs.items():
            for name, value in _round(one, other).items():
                found[way].setdefault(name, []).append(value)
    return {
        way: {name: values[1:] for name, values in columns.items()}
        for way, columns in found.items()
    }


def _round(one: Query, other: Query) -> dict[str, float]:
    def paused() -> float:
        time.sleep(_PAUSE)
        return _timed(one)

    return {
        "one model": _median([_timed(one) for _ in range(_CALLS)]),
        "two in turn": _median([_timed(q) for _ in range(_CALLS) for q in (one, other)]),
        "one, after a pause": _median([paused() for _ in range(_CALLS // 4)]),
    }


def _query(graph: Path, threads: int, entry: str) -> Query:
    import numpy as np
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.add_session_config_entry("session.force_spinning_stop", entry)
    session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    kinds: dict[str, Any] = {"tensor(int64)": np.int64, "tensor(int32)": np.int32}
    feeds = {i.name: np.ones((1, _TOKENS), kinds[i.type]) for i in session.get_inputs()}
    return lambda: session.run(None, feeds)


def _timed(query: Query) -> float:
    start = time.perf_counter()
    query()
    return 1000 * (time.perf_counter() - start)


def _median(values: list[float]) -> float:
    return sorted(values)[len(values) // 2]


def _print(result: dict[str, Any]) -> None:
    from rich.table import Table

    table = Table(caption="ms of a query, median \\[min..max] of the rounds")
    for column in ("threads between calls", "calls"):
        table.add_column(column)
    table.add_column("ms", justify="right", no_wrap=True)
    for row in result["rows"]:
        table.add_row(row["threads"], row["calls"], spread_in_words(row, 2))
    show(result, table)


if __name__ == "__main__":
    main()
