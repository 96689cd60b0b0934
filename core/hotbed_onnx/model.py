"""Run an embedding graph, hotbed's own or somebody else's."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import numpy as np
from attrs import define, field, frozen
from numpy.typing import NDArray

from hotbed.backends import Artifact, Loaded, LoadOptions, TokenBatch, cpu_quota
from hotbed.errors import ClosedError, UnsupportedModelError
from hotbed.models.onnx_weights import takes_ranges_from_batches
from hotbed_onnx.integers import here, warn_of_overflow
from hotbed_onnx.session import OpenSession, open_session

__all__ = ["Handle", "open_model", "run"]

_SENTENCE = "sentence_embedding"
_TOKENS = "token_embeddings"
_SPARSE, _COLBERT = "sparse", "colbert"
_TOKEN_NAMES = (_TOKENS, "last_hidden_state")
_DTYPES: dict[str, type[np.generic]] = {"tensor(int64)": np.int64, "tensor(int32)": np.int32}

TOKEN_BUDGET = 512
"""Padded tokens in a batch: small batches stay in the cache (docs/performance.md). A graph of
hotbed's own may name another number."""


@frozen(kw_only=True)
class _Input:
    name: str
    dtype: type[np.generic]


@define(kw_only=True, eq=False)
class Handle:
    """An open graph: which of its names mean what, and its sessions.

    One session splits each operator over all threads, which answers a lone batch soonest. Where
    several batches are in flight, each runs on one thread in a second session, opened at first
    need; its weights are mapped from the same file.
    """

    alone: OpenSession | None
    open_lane: Callable[[], OpenSession]
    inputs: tuple[_Input, ...]
    outputs: dict[str, str]
    _lane: OpenSession | None = None
    _lock: threading.Lock = field(factory=threading.Lock)

    def session(self, in_flight: int) -> OpenSession:
        """The session for one of so many batches.

        Raises:
            ClosedError: The handle was closed.
        """
        alone = self.alone
        if alone is None:
            raise ClosedError("the session was closed")
        if in_flight < 2:
            return alone
        with self._lock:
            if self._lane is None:
                self._lane = self.open_lane()
            return self._lane

    def feeds(self, batch: TokenBatch) -> dict[str, NDArray[Any]]:
        """What the graph's inputs are given for a batch."""
        return {item.name: _feed(item, batch) for item in self.inputs}

    def close(self) -> None:
        """Let go of the sessions."""
        with self._lock:
            self.alone = self._lane = None


def open_model(artifact: Artifact, options: LoadOptions, *, provider: str) -> Loaded:
    """Open an artifact's graph and work out its inputs and outputs.

    Raises:
        UnsupportedModelError: It wants inputs that an embedding model does not have, or gives
            nothing that is an embedding.
    """
    threads = options.threads or cpu_quota()
    opened = open_session(artifact.path, provider=provider, threads=threads)
    _refuse_fixed_axes(artifact, opened)
    warn_of_overflow(artifact, opened.metadata.get("hotbed.weight_bits", ""), here())
    handle = Handle(
        alone=opened,
        open_lane=lambda: open_session(artifact.path, provider=provider, threads=1),
        inputs=_inputs(artifact, opened),
        outputs=_outputs(artifact, opened),
    )
    first = _SENTENCE if _SENTENCE in handle.outputs else _TOKENS
    return Loaded(
        handle=handle,
        device=options.device,
        provider=opened.provider,
        dtype=options.dtype,
        outputs=tuple(handle.outputs),
        dimension=_width(artifact, opened, handle.outputs[first]),
        takes_pooling_mask="pooling_mask" in opened.inputs,
        batch_dependent=_batch_dependent(artifact, opened),
        masks_padding=_masks_padding(opened),
        token_budget=_token_budget(opened),
        lanes=threads,
        facts=(("threads", str(threads)), ("file", artifact.path.name)),
    )


def run(
    handle: Handle, batch: TokenBatch, outputs: tuple[str, ...], in_flight: int
) -> dict[str, NDArray[np.float32]]:
    """Run one batch; results as float32 by hotbed's names."""
    opened = handle.session(in_flight)
    names = [handle.outputs[name] for name in outputs]
    results = opened.session.run(names, handle.feeds(batch))
    return {
        name: np.asarray(value, dtype=np.float32)
        for name, value in zip(outputs, results, strict=True)
    }


def _batch_dependent(artifact: Artifact, opened: OpenSession) -> bool:
    """As hotbed's file says; of others, whether an operator takes its ranges from each batch."""
    said = opened.metadata.get("hotbed.batch_dependent")
    if said is not None:
        return said != "no"
    integers = artifact.variant.storage not in ("float32", "float16", "bfloat16")
    return integers and takes_ranges_from_batches(artifact.path)


def _masks_padding(opened: OpenSession) -> bool | None:
    """True of hotbed's own graphs; of others False without a mask, else what the core measures.

    A mask may be declared and used nowhere, or used by all but the pooling.
    """
    if "hotbed.builder" in opened.metadata:
        return True
    return None if "attention_mask" in opened.inputs else False


def _token_budget(opened: OpenSession) -> int:
    named = opened.metadata.get("hotbed.token_budget", "")
    return int(named) if named.isdecimal() and int(named) else TOKEN_BUDGET


def _refuse_fixed_axes(artifact: Artifact, opened: OpenSession) -> None:
    fixed = {name: shape for name, shape in opened.shapes.items() if _is_fixed(shape)}
    if fixed:
        said = ", ".join(f"{name} {shape}" for name, shape in fixed.items())
        raise UnsupportedModelError(
            f"{artifact.path.name} was exported with fixed axes ({said}); texts differ in number "
            f"and length. Export it again with dynamic axes, or convert the model's safetensors"
        )


def _is_fixed(shape: list[Any]) -> bool:
    return any(isinstance(size, int) for size in shape)


def _inputs(artifact: Artifact, opened: OpenSession) -> tuple[_Input, ...]:
    known = ("input_ids", "attention_mask", "token_type_ids", "position_ids", "pooling_mask")
    found = []
    for name, kind in opened.inputs.items():
        if name not in known or kind not in _DTYPES:
            raise UnsupportedModelError(
                f"{artifact.path.name} wants the input {name!r} ({kind}); hotbed feeds "
                f"{', '.join(known)} as whole numbers"
            )
        found.append(_Input(name=name, dtype=_DTYPES[kind]))
    return tuple(found)


def _feed(item: _Input, batch: TokenBatch) -> NDArray[Any]:
    match item.name:
        case "token_type_ids":
            return np.zeros(batch.input_ids.shape, dtype=item.dtype)
        case "position_ids":
            # Positions count real tokens, so that left padding shifts nothing.
            positions = np.cumsum(batch.attention_mask, axis=1) - 1
            return np.maximum(positions, 0).astype(item.dtype, copy=False)
        case name:
            value: NDArray[Any] = getattr(batch, name)
            return value.astype(item.dtype, copy=False)


def _outputs(artifact: Artifact, opened: OpenSession) -> dict[str, str]:
    """hotbed's output names → the graph's: by name, then by rank, never by position alone."""
    found = {}
    if _SENTENCE in opened.outputs:
        found[_SENTENCE] = _SENTENCE
    named = [name for name in _TOKEN_NAMES if name in opened.outputs]
    by_rank = [name for name, shape in opened.outputs.items() if len(shape) == 3]
    if named:
        found[_TOKENS] = named[0]
    elif len(by_rank) == 1:
        found[_TOKENS] = by_rank[0]
    pooled = [name for name, shape in opened.outputs.items() if len(shape) == 2]
    if not found and len(pooled) == 1:
        found[_SENTENCE] = pooled[0]
    if "hotbed.builder" in opened.metadata:  # elsewhere these names may mean anything
        found |= {name: name for name in (_SPARSE, _COLBERT) if name in opened.outputs}
    if not found:
        raise UnsupportedModelError(
            f"{artifact.path.name} gives "
            + ", ".join(f"{name} {shape}" for name, shape in opened.outputs.items())
            + "; none is sentence_embedding, token_embeddings or last_hidden_state, and no single "
            "one has the rank of an embedding"
        )
    return found


def _width(artifact: Artifact, opened: OpenSession, name: str) -> int:
    width = opened.outputs[name][-1]
    if isinstance(width, int):
        return width
    ones = np.ones((1, 2), dtype=np.int64)
    batch = TokenBatch(input_ids=ones, attention_mask=ones, pooling_mask=ones)
    feeds = {item.name: _feed(item, batch) for item in _inputs(artifact, opened)}
    return int(opened.session.run([name], feeds)[0].shape[-1])
