"""Learn the ranges of activations from texts, channel by channel.

The graph itself finds least and greatest values, so that no activation has to be kept. Texts run
without padding, in groups of one length: what stands on padding is nobody's range.
"""

from __future__ import annotations

import hashlib
import logging
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from attrs import define, evolve
from numpy.typing import NDArray

from hotbed.backends import Artifact, LoadOptions, TokenBatch, cpu_quota
from hotbed_onnx.graph import Graph
from hotbed_onnx.model import open_model
from hotbed_onnx.quantising.arithmetic import Range, require_finite
from hotbed_onnx.quantising.source import Source, read_graph
from hotbed_onnx.writing import save

__all__ = ["activation_ranges"]

_log = logging.getLogger("hotbed.quantisation")

_TOKENS = 512
"""Tokens that run at once."""

_AXES_AS_INPUT = 18
"""The opset from which reductions take their axes as an input."""

Ints = NDArray[np.int64]
Floats = NDArray[np.float32]


def activation_ranges(
    source: Source,
    artifact: Artifact,
    asked: Mapping[str, int],
    known: Mapping[str, int],
    batches: Sequence[TokenBatch],
) -> dict[str, Range]:
    """Give the range of each value that is asked for; texts run once for one file.

    What a value's range is does not depend on which layers are rounded. So the ranges of all values
    are learned in one pass, and kept for the next form of the same file: a search of many mixes
    learns them once.

    Args:
        source: The graph.
        artifact: The same, as it is opened.
        asked: Activations, (…, channels) float32 → channels.
        known: All that may be asked for of this file, those among them.
        batches: The texts.

    Raises:
        ConversionError: An activation that is asked for is not finite.
    """
    if not asked:
        return {}
    key = _key(artifact.path, known, batches)
    found = _kept.recall(key)
    if found is None:
        found = _learn(source, artifact, known, batches)
        _kept.keep(key, found)
    for name in asked:
        _require_finite(source.graph, name, np.concatenate([found[name].low, found[name].high]))
    return {name: found[name] for name in asked}


@define(eq=False)
class _Kept:
    """The ranges that were learned last. A few kilobytes; another file takes their place."""

    _last: tuple[str, dict[str, Range]] = ("", {})

    def recall(self, key: str) -> dict[str, Range] | None:
        known, ranges = self._last  # one read: another thread may put another pair there
        return ranges if known == key else None

    def keep(self, key: str, ranges: dict[str, Range]) -> None:
        self._last = (key, ranges)


_kept = _Kept()


def _key(path: Path, values: Mapping[str, int], batches: Sequence[TokenBatch]) -> str:
    """The file as it lies there, and the texts."""
    whole = hashlib.sha256()
    for file in sorted(path.parent.glob(f"{path.name}*")):
        stat = file.stat()
        whole.update(f"{file} {stat.st_ino} {stat.st_size} {stat.st_mtime_ns}\0".encode())
    whole.update("\0".join(values).encode())
    for batch in batches:
        for array in (batch.input_ids, batch.attention_mask, batch.pooling_mask):
            whole.update(f"{array.shape}".encode() + np.ascontiguousarray(array).tobytes())
    return whole.hexdigest()


def _learn(
    source: Source, artifact: Artifact, values: Mapping[str, int], batches: Sequence[TokenBatch]
) -> dict[str, Range]:
    """Run the texts and give the range of each value."""
    found: dict[str, Range] = {}
    with tempfile.TemporaryDirectory(prefix="hotbed-calibration-") as place:
        path = Path(place) / "watched.onnx"
        graph = read_graph(source.path).graph  # a copy: what is watched is not what is written
        outputs = _watch(graph, values)
        save(graph, path, external=True, metadata=source.metadata)
        # Batches side by side, one thread each: threads that share a batch wait for one another.
        opened = open_model(
            evolve(artifact, path=path), LoadOptions(threads=1), provider="CPUExecutionProvider"
        )

        def extremes(batch: TokenBatch) -> list[Floats]:
            found: list[Floats] = opened.handle.session(1).session.run(
                outputs, opened.handle.feeds(batch)
            )
            return found

        try:
            with ThreadPoolExecutor(cpu_quota()) as pool:
                for results in pool.map(extremes, _unpadded(batches)):
                    _join(found, values, results)
        finally:
            opened.handle.close()
    _log.debug("learned the ranges of %d activations of %s", len(found), artifact.path.name)
    return found


def _join(found: dict[str, Range], values: Mapping[str, int], results: Sequence[Floats]) -> None:
    """Widen the ranges by what one batch gave: least and greatest of each value in turn."""
    for name, low, high in zip(values, results[0::2], results[1::2], strict=True):
        new = Range(low=low, high=high)
        found[name] = found[name].joined(new) if name in found else new


def _require_finite(graph: Graph, name: str, extremes: Floats) -> None:
    """Name the weight that is not finite where there is one, or else the activation."""
    if np.isfinite(extremes).all():
        return
    for tensor in graph.tensors.values():
        if np.issubdtype(tensor.dtype, np.floating):
            for block in tensor.blocks():
                require_finite(tensor.name, block)
    require_finite(f"{name}, an activation,", extremes)


def _watch(graph: Graph, values: Mapping[str, int]) -> list[str]:
    """Add outputs: the least and the greatest value of each channel."""
    axis = graph.constant([0], "int64")
    names = []
    for value, channels in values.items():
        flat = graph.op("Reshape", value, graph.constant([-1, channels], "int64"))
        for kind in ("ReduceMin", "ReduceMax"):
            if graph.opset < _AXES_AS_INPUT:
                found = graph.op(kind, flat, axes=[0], keepdims=0)
            else:
                found = graph.op(kind, flat, axis, keepdims=0)
            names.append(graph.output(found, f"{value}/{kind}", "float32", (channels,)))
    return names


def _unpadded(batches: Sequence[TokenBatch]) -> Iterator[TokenBatch]:
    """The same texts, each batch of one length."""
    lengths: dict[int, list[tuple[Ints, Ints]]] = defaultdict(list)
    for batch in batches:
        for ids, real, counted in zip(
            batch.input_ids, batch.attention_mask != 0, batch.pooling_mask, strict=True
        ):
            lengths[int(real.sum())].append((ids[real], counted[real]))
    for length, texts in sorted(lengths.items()):
        if not length:
            continue
        step = max(1, _TOKENS // length)
        for start in range(0, len(texts), step):
            some = texts[start : start + step]
            ids = np.stack([text for text, _ in some])
            ones = np.ones_like(ids)
            counted = np.stack([mask for _, mask in some])
            yield TokenBatch(input_ids=ids, attention_mask=ones, pooling_mask=counted)
