"""What one call costs more with hotbed-timing around it: ``python benchmark.py``.

A batch of 8 texts of 64 tokens through a backend that hands back a ready array, so that nothing
hides the cost. Rounds with and without the wrapper take turns in one process.
"""

from __future__ import annotations

import os
import platform
import statistics
import time
from importlib.metadata import version
from pathlib import Path
from types import ModuleType

import numpy as np

from hotbed.backends import (
    Artifact,
    Capability,
    Loaded,
    LoadOptions,
    Manifest,
    TokenBatch,
    Variant,
    hookimpl,
)
from hotbed.backends.catalog import WRAPPERS, Catalog, Found
from hotbed.backends.engine import Engine

ROUNDS, CALLS = 40, 2_000
ROWS, TOKENS, WIDTH = 8, 64, 384


def nothing() -> Found:
    """A backend whose work costs nothing."""
    ready = {"sentence_embedding": np.zeros((ROWS, WIDTH), dtype=np.float32)}

    @hookimpl
    def hotbed_load() -> Loaded:
        return Loaded(
            handle=None,
            device="cpu",
            provider="none",
            dtype="float32",
            outputs=("sentence_embedding",),
            dimension=WIDTH,
        )

    @hookimpl
    def hotbed_embed() -> dict[str, np.ndarray]:
        return ready

    module = ModuleType("nothing")
    hooks = {"hotbed_load": hotbed_load, "hotbed_embed": hotbed_embed}
    manifest = Manifest(name="nothing", hook_api=1, capabilities=(Capability(action="embed"),))
    vars(module).update(hooks, HOTBED=manifest)
    return Found(name="nothing", dist="nothing", version="0", value="nothing", plugin=module)


def seconds(engine: Engine, loaded: Loaded, batch: TokenBatch) -> float:
    """Seconds of one call, over ``CALLS``."""
    began = time.perf_counter()
    for _ in range(CALLS):
        engine.embed(loaded, batch, ("sentence_embedding",))
    return (time.perf_counter() - began) / CALLS


def main() -> None:
    """Measure and print."""
    (timing,) = [found for found in Catalog(WRAPPERS).found() if found.name == "timing"]
    ones = np.ones((ROWS, TOKENS), dtype=np.int64)
    batch = TokenBatch(input_ids=ones, attention_mask=ones, pooling_mask=ones)
    variant = Variant(format="none", file="none")
    artifact = Artifact(folder=Path(), path=Path("none"), variant=variant)
    engines = [Engine(nothing()), Engine(nothing(), wrappers=[timing])]
    opened = [(engine, engine.load(artifact, LoadOptions())) for engine in engines]
    rounds = [[seconds(engine, loaded, batch) for engine, loaded in opened] for _ in range(ROUNDS)]
    bare, timed = zip(*rounds, strict=True)
    more = sorted(b - a for a, b in rounds)
    print(f"bare   {statistics.median(bare) * 1e6:6.1f} µs a call")
    print(f"timed  {statistics.median(timed) * 1e6:6.1f} µs a call")
    low, high = more[len(more) // 4], more[3 * len(more) // 4]
    print(
        f"more   {statistics.median(more) * 1e6:6.1f} µs a call "
        f"(half of {ROUNDS} rounds between {low * 1e6:.1f} and {high * 1e6:.1f})"
    )
    packages = ", ".join(f"{name} {version(name)}" for name in ("hotbed", "prometheus_client"))
    print(f"{os.cpu_count()} CPUs, Python {platform.python_version()}, {packages}")


if __name__ == "__main__":
    main()
