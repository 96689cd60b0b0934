"""Run texts through one loaded model: tokens → batches → vectors, in the caller's order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from attrs import define, field
from numpy.typing import NDArray

from hotbed.backends.engine import Engine
from hotbed.backends.values import Loaded, TokenBatch
from hotbed.errors import UnsupportedModelError, UsageError
from hotbed.inference.batching import pack
from hotbed.inference.lanes import LEAST_BATCHES, side_by_side
from hotbed.inference.padding import unpadded
from hotbed.inference.progress import Progress
from hotbed.inference.token_outputs import COLBERT, DENSE, SPARSE, left_out, sparse_of
from hotbed.inference.tokenisation import Tokenizer, Tokens
from hotbed.models.folder import ModelFolder
from hotbed.models.heads import build_heads
from hotbed.models.token_heads import TOKEN_HEADS

__all__ = ["SENTENCES", "TOKENS", "Runner"]

SENTENCES = "sentence_embedding"
TOKENS = "token_embeddings"

Floats = NDArray[np.float32]


@define(kw_only=True, eq=False)
class Runner:
    """A model folder, its tokenizer, and the engine that has it loaded.

    Attributes:
        engine: The chosen backend.
        loaded: Its open model.
        folder: The model folder.
        tokenizer: Its tokenizer.
        batch_invariant: Whether a text's vector may not depend on what is beside it: batches hold
            texts of one length, and one text where the engine takes ranges from whole batches.
        on_nonfinite: What happens where a result holds NaN or infinity: ``error``, ``warn``,
            ``allow``.
        dimension: Width of a sentence embedding after every module.
    """

    engine: Engine
    loaded: Loaded
    folder: ModelFolder
    tokenizer: Tokenizer
    batch_invariant: bool = False
    on_nonfinite: str = "error"
    dimension: int = field(init=False)
    _heads: tuple[Callable[[Floats], Floats], ...] | None = None

    def __attrs_post_init__(self) -> None:
        pools_itself = SENTENCES in self.loaded.outputs
        hidden = self.loaded.dimension
        self.dimension = hidden if pools_itself else self.folder.pipeline.dimension(hidden)
        if not pools_itself:
            self._heads = build_heads(self.folder.path, self.folder.pipeline.heads)

    def tokenize(
        self,
        texts: Sequence[str],
        prompt: str,
        *,
        on_invalid_text: str = "error",
        start: int = 0,
    ) -> Tokens:
        """Tokenise, and note how much of the prompt pooling leaves out."""
        return self.tokenizer.encode(
            texts,
            prompt,
            drop_prompt=not self.folder.pipeline.pooling.include_prompt,
            on_invalid_text=on_invalid_text,
            start=start,
        )

    def sentences(self, tokens: Tokens, max_rows: int | None, progress: Progress) -> Floats:
        """Sentence embeddings, (n, d) float32."""
        vectors = np.empty((len(tokens.ids), self.dimension), dtype=np.float32)

        def work(rows: NDArray[np.int64], in_flight: int) -> None:
            batch = self.tokenizer.batch(tokens, rows)
            vectors[rows] = self._sentence_batch(batch, in_flight)

        self._each(work, tokens, max_rows, progress)
        return vectors

    def token_rows(
        self, tokens: Tokens, max_rows: int | None, progress: Progress
    ) -> list[tuple[Floats, Floats, TokenBatch, int]]:
        """For each text: its token embeddings (t, h), its vector (d,), and its row of a batch."""
        if TOKENS not in self.loaded.outputs:
            raise UnsupportedModelError(
                f"{self.folder.name}: the graph gives no token embeddings, only "
                f"{', '.join(self.loaded.outputs)}"
            )
        results: dict[int, tuple[Floats, Floats, TokenBatch, int]] = {}

        def work(rows: NDArray[np.int64], in_flight: int) -> None:
            batch = self.tokenizer.batch(tokens, rows)
            embeddings = self.engine.embed(self.loaded, batch, (TOKENS,), in_flight)[TOKENS]
            vectors = self._sentence_batch(batch, in_flight)
            for place, row in enumerate(rows.tolist()):
                # As in sentence-transformers, only padding after the last token is cut.
                kept = int(np.flatnonzero(batch.attention_mask[place]).max(initial=0)) + 1
                results[row] = (embeddings[place, :kept].copy(), vectors[place], batch, place)

        self._each(work, tokens, max_rows, progress)
        return [results[row] for row in range(len(tokens.ids))]

    @property
    def never_pads(self) -> bool:
        """Whether padding would change vectors, so that batches hold texts of one length."""
        return self.loaded.masks_padding is False

    @property
    def offered(self) -> tuple[str, ...]:
        """What ``several`` can be asked for."""
        return (DENSE, *(name for name in (SPARSE, COLBERT) if name in self.loaded.outputs))

    def several(
        self, tokens: Tokens, names: Sequence[str], max_rows: int | None, progress: Progress
    ) -> dict[str, Any]:
        """Several outputs from one pass through the model.

        Args:
            tokens: The texts.
            names: Of ``offered``.
            max_rows: Rows in one batch at most.
            progress: Is told of each batch.

        Returns:
            ``dense``: (n, d) float32; ``sparse``: a list of SparseVector; ``colbert``: a list of
            (tokens, d) float32; those that were asked for.

        Raises:
            UsageError: The model does not offer one of them.
        """
        self._refuse_absent(names)
        count = len(tokens.ids)
        found: dict[str, Any] = {name: [None] * count for name in names}
        if DENSE in found:
            found[DENSE] = np.empty((count, self.dimension), dtype=np.float32)
        unused = left_out(self.folder.tokenizer_config, self.tokenizer.backend)

        def work(rows: NDArray[np.int64], in_flight: int) -> None:
            batch = self.tokenizer.batch(tokens, rows)
            source = self._dense_source(batch) if DENSE in found else ""
            wanted = tuple(source if name == DENSE else name for name in found)
            gave = self.engine.embed(self.loaded, batch, wanted, in_flight)
            if DENSE in found:
                found[DENSE][rows] = self._dense(source, gave[source], batch)
            for place, row in enumerate(rows.tolist()):
                real = batch.attention_mask[place] != 0
                if SPARSE in found:
                    ids, weights = batch.input_ids[place][real], gave[SPARSE][place][real]
                    found[SPARSE][row] = sparse_of(ids, weights, unused)
                if COLBERT in found:
                    found[COLBERT][row] = gave[COLBERT][place][real][1:]

        self._each(work, tokens, max_rows, progress)
        return found

    def _refuse_absent(self, names: Sequence[str]) -> None:
        absent = [name for name in names if name not in self.offered]
        if not absent:
            return
        files = ", ".join(TOKEN_HEADS[name] for name in absent)
        held = [name for name in absent if name in self.folder.token_heads]
        why = f"the folder holds no {files}, which a model with these outputs has"
        if held:
            why = (
                f"{self.loaded.backend} does not give it, though the folder holds {files}; a graph "
                f"that hotbed builds does: convert the model, or load it with backend='onnx_cpu'"
            )
        raise UsageError(
            f"outputs={tuple(names)!r}: {self.folder.name} gives {', '.join(self.offered)}, and "
            f"not {', '.join(absent)}; {why}"
        )

    def _each(
        self,
        work: Callable[[NDArray[np.int64], int], None],
        tokens: Tokens,
        max_rows: int | None,
        progress: Progress,
    ) -> None:
        """Do every batch: one after the other, or on the engine's lanes where there are enough."""
        if self.batch_invariant and self.loaded.batch_dependent:
            max_rows = 1
        budget, alike = self.loaded.token_budget, self.batch_invariant or self.never_pads
        batches = list(pack(tokens.counts, budget, max_rows, one_length=alike))
        lanes = self.loaded.lanes
        if lanes < 2 or len(batches) < LEAST_BATCHES * lanes:
            for rows in batches:
                work(rows, 1)
                progress.advance(len(rows))
            return
        done = side_by_side(lambda rows: work(rows, lanes), batches, lanes)
        for rows, _ in zip(batches, done, strict=True):
            progress.advance(len(rows))

    def batch_vectors(self, batch: TokenBatch) -> Floats:
        """Sentence embeddings of one batch that is already padded, (rows, d) float32."""
        if not self.never_pads:
            return self._sentence_batch(batch, 1)
        vectors = np.empty((len(batch.input_ids), self.dimension), dtype=np.float32)
        for rows, part in unpadded(batch):
            vectors[rows] = self._sentence_batch(part, 1)
        return vectors

    def _sentence_batch(self, batch: TokenBatch, in_flight: int) -> Floats:
        source = self._dense_source(batch)
        found = self.engine.embed(self.loaded, batch, (source,), in_flight)[source]
        return self._dense(source, found, batch)

    def _dense_source(self, batch: TokenBatch) -> str:
        """The engine's output that a batch's sentence embeddings are made of."""
        loaded = self.loaded
        pooled_in_graph = SENTENCES in loaded.outputs
        if pooled_in_graph and (loaded.takes_pooling_mask or not batch.masks_differ):
            return SENTENCES
        if TOKENS not in loaded.outputs:
            raise UnsupportedModelError(
                f"{self.folder.name} leaves its prompt out of pooling, and the graph pools without "
                f"a pooling mask and gives no token embeddings; convert the model with hotbed"
            )
        return TOKENS

    def _dense(self, source: str, found: Floats, batch: TokenBatch) -> Floats:
        if source == SENTENCES:
            return found
        vectors = self.engine.pool(self.loaded, found, batch, self.folder.pipeline.pooling)
        if self._heads is None:
            self._heads = build_heads(self.folder.path, self.folder.pipeline.heads)
        for head in self._heads:
            vectors = head(vectors)
        return vectors
