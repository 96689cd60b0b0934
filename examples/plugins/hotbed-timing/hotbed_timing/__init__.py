"""Time every hook call of every hotbed backend, for Prometheus.

Installing this is all: hotbed puts the wrappers below around the hooks of each backend that it
opens. A wrapper has no say in which backend is chosen, and these hand results through untouched.
"""

from __future__ import annotations

from collections.abc import Generator

import numpy as np
from numpy.typing import NDArray

from hotbed.backends import Loaded, LoadOptions, TokenBatch, hookimpl
from hotbed_timing.metrics import metrics_of

__all__ = ["hotbed_embed", "hotbed_load", "hotbed_pool"]

Outputs = dict[str, NDArray[np.float32]]
Vectors = NDArray[np.float32]


@hookimpl(wrapper=True)
def hotbed_load(options: LoadOptions) -> Generator[None, Loaded, Loaded]:
    """Time the opening of a model."""
    with metrics_of().load.watch(options.backend, options.device, options.dtype):
        return (yield)


@hookimpl(wrapper=True)
def hotbed_embed(loaded: Loaded, batch: TokenBatch) -> Generator[None, Outputs, Outputs]:
    """Time a batch, and count the texts and tokens of one that went through."""
    labels = _labels(loaded)
    timed = metrics_of()
    with timed.embed.watch(*labels):
        outputs = yield
    timed.texts.labels(*labels).inc(len(batch.input_ids))
    timed.tokens.labels(*labels).inc(int(np.count_nonzero(batch.attention_mask)))
    return outputs


@hookimpl(wrapper=True)
def hotbed_pool(loaded: Loaded) -> Generator[None, Vectors, Vectors]:
    """Time the pooling of a batch, whether the backend does it or the core."""
    with metrics_of().pool.watch(*_labels(loaded)):
        return (yield)


def _labels(loaded: Loaded) -> tuple[str, str, str]:
    return loaded.backend, loaded.device, loaded.dtype
