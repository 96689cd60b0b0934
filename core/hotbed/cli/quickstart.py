"""``hotbed quickstart``: the main job, on real input, in one command."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from rich.text import Text

from hotbed.cli.console import errors, out, plain_table, print_json
from hotbed.cli.parameters import (
    DEFAULT_MODEL,
    BackendOption,
    DeviceOption,
    DtypeOption,
    JsonOption,
    ModelOption,
)
from hotbed.inference.embedder import Embedder
from hotbed.loading import default_house, load

__all__ = ["DOCUMENTS", "QUERIES", "quickstart"]

QUERIES = (
    "How do I bake bread at home?",
    "Which planet is the largest?",
    "My laptop does not turn on",
)

DOCUMENTS = (
    "Knead flour, water, salt and yeast, let the dough rise, then put the loaf in a hot oven.",
    "Jupiter has more than twice the mass of all other planets of the solar system together.",
    "If the computer stays dark, hold the power button for ten seconds and try another charger.",
    "The train to the coast leaves at ten past seven and stops at every village.",
    "Water tomatoes early in the morning, at the root, and never on the leaves.",
    "A mortgage with a fixed rate protects you when interest goes up.",
    "She tuned her violin before the concert began.",
)


def quickstart(
    model: ModelOption = DEFAULT_MODEL,
    backend: BackendOption = None,
    device: DeviceOption = "auto",
    dtype: DtypeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Fetch a model, convert it, embed a few sentences, search them, and say what happened."""
    started = time.perf_counter()
    house = default_house()
    with errors.status(f"Looking for {model} …"):
        located = house.locate(model)
    fetched = time.perf_counter()
    with errors.status("Opening it (the first time it is converted) …"):
        embedder = load(model, backend=backend, device=device, dtype=dtype)
    opened = time.perf_counter()
    scores, documents = _search(embedder)
    finished = time.perf_counter()
    seconds = {
        "fetch": fetched - started,
        "convert_and_load": opened - fetched,
        f"embed_{len(QUERIES) + len(DOCUMENTS)}_texts": finished - opened,
        "total": finished - started,
    }
    if as_json:
        print_json(_report(embedder, located.origin, located.tried, scores, seconds))
        return
    out.print(f"model        {embedder.decision.model} from {located.origin}")
    out.print(
        f"vectors      {documents.shape[0]} texts × {documents.shape[1]} dimensions, "
        f"{documents.dtype}, length of the first {np.linalg.norm(documents[0]):.4f}\n"
    )
    _show_search(scores)
    out.print("\nWhy this backend", style="bold")
    out.print(embedder.why())
    loaded = embedder.loaded
    facts = ", ".join(f"{name}: {value}" for name, value in loaded.facts)
    out.print(f"  running on {loaded.provider} ({facts})\n")
    parts = ", ".join(f"{name.replace('_', ' ')} {value:.2f} s" for name, value in seconds.items())
    out.print("Time", style="bold", end="         ")
    out.print(parts)


def _search(embedder: Embedder) -> tuple[Any, Any]:
    documents = embedder.encode_document(list(DOCUMENTS))
    queries = embedder.encode_query(list(QUERIES))
    return embedder.similarity(queries, documents), documents


def _show_search(scores: Any) -> None:
    table = plain_table("query", "score", "nearest texts")
    for query, row in zip(QUERIES, scores, strict=True):
        for place, index in enumerate(np.argsort(-row)[:2]):
            style = "green" if place == 0 else "dim"
            table.add_row(
                query if place == 0 else "",
                f"{row[index]:.3f}",
                Text(DOCUMENTS[index], style=style),
            )
    out.print(table)


def _report(
    embedder: Embedder, origin: str, tried: tuple[str, ...], scores: Any, seconds: dict[str, float]
) -> dict[str, Any]:
    best = scores.argmax(axis=1)
    return {
        "model": embedder.decision.model,
        "origin": origin,
        "passed_over": list(tried),
        "dimension": embedder.get_embedding_dimension(),
        "search": [
            {"query": query, "nearest": DOCUMENTS[index], "score": round(float(row[index]), 4)}
            for query, row, index in zip(QUERIES, scores, best, strict=True)
        ],
        "decision": embedder.decision.as_dict(),
        "provider": embedder.loaded.provider,
        "seconds": {name: round(value, 3) for name, value in seconds.items()},
    }
