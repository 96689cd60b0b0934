"""The metrics: names, labels and buckets. Times are in seconds, as Prometheus wants them."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from prometheus_client import REGISTRY, CollectorRegistry, Counter, Histogram

__all__ = ["Metrics", "Timed", "metrics_of"]

# From one short query of a small model to a full batch of a large one.
_EMBED = (
    *(0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05),
    *(0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0),
)
# Pooling is a sum over a batch: a thousandth of that.
_POOL = (0.00001, 0.000025, 0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.05)
# From a file in the page cache to gigabytes from a network disk onto a GPU.
_LOAD = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0)

_ENGINE = ("backend", "device", "dtype")

_ATTRIBUTE = "_hotbed_timing"
_lock = threading.Lock()


class Timed:
    """The seconds of one hook's calls, and how many of them failed.

    Args:
        name: What the metrics begin with.
        what: What is timed, in words.
        labels: The labels' names.
        buckets: Upper edges, in seconds.
        registry: Where the metrics are kept.
    """

    def __init__(
        self,
        name: str,
        what: str,
        labels: tuple[str, ...],
        buckets: tuple[float, ...],
        registry: CollectorRegistry,
    ) -> None:
        self.seconds = Histogram(
            f"{name}_seconds", f"Seconds of {what}.", labels, buckets=buckets, registry=registry
        )
        self.errors = Counter(
            f"{name}_errors", f"How often {what} failed.", labels, registry=registry
        )

    @contextmanager
    def watch(self, *labels: str) -> Iterator[None]:
        """Time what happens inside, and count it as failed if it raises."""
        with (
            self.seconds.labels(*labels).time(),
            self.errors.labels(*labels).count_exceptions(),
        ):
            yield


class Metrics:
    """Everything that the wrappers record.

    Args:
        registry: Where the metrics are kept.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self.load = Timed("hotbed_load", "opening a model", _ENGINE, _LOAD, registry)
        self.embed = Timed("hotbed_embed", "embedding a batch", _ENGINE, _EMBED, registry)
        self.pool = Timed("hotbed_pool", "pooling a batch", _ENGINE, _POOL, registry)
        self.texts = Counter("hotbed_texts", "Texts embedded.", _ENGINE, registry=registry)
        self.tokens = Counter(
            "hotbed_tokens", "Tokens embedded, padding left out.", _ENGINE, registry=registry
        )


def metrics_of(registry: CollectorRegistry = REGISTRY) -> Metrics:
    """Give the one set of metrics of a registry, made at first need.

    It hangs on the registry, which refuses a name twice and outlives a second import of this
    package.
    """
    found: Metrics | None = getattr(registry, _ATTRIBUTE, None)
    if found is None:
        with _lock:
            found = getattr(registry, _ATTRIBUTE, None)
            if found is None:
                found = Metrics(registry)
                setattr(registry, _ATTRIBUTE, found)
    return found
