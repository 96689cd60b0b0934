"""Run texts through one loaded model: tokens → batches → vectors, in the caller's order."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from attrs import define, field
from numpy.typing import NDArray

from hotbed.backends.engine import Engine
from hotbed.backends.values import Loaded, TokenBatch
from hotbed.errors import UnsupportedModelError
from hotbed.inference.batching import pack
from hotbed.inference.lanes import LEAST_BATCHES, side_by_side
from hotbed.inference.progress import Progress
from hotbed.inference.tokenisation import Tokenizer, Tokens
from hotbed.models.folder import ModelFolder
from hotbed.models.heads import build_heads

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
        dimension: Width of a sentence embedding after every module.
    """

    engine: Engine
    loaded: Loaded
    folder: ModelFolder
    tokenizer: Tokenizer
    dimension: int = field(init=False)
    _heads: tuple[Callable[[Floats], Floats], ...] | None = None

    def __attrs_post_init__(self) -> None:
        pools_itself = SENTENCES in self.loaded.outputs
        hidden = self.loaded.dimension
        self.dimension = hidden if pools_itself else self.folder.pipeline.dimension(hidden)

    def tokenize(self, texts: Sequence[str], prompt: str) -> Tokens:
        """Tokenise, and note how much of the prompt pooling leaves out."""
        drop = not self.folder.pipeline.pooling.include_prompt
        return self.tokenizer.encode(texts, prompt, drop_prompt=drop)

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

    def _each(
        self,
        work: Callable[[NDArray[np.int64], int], None],
        tokens: Tokens,
        max_rows: int | None,
        progress: Progress,
    ) -> None:
        """Do every batch: one after the other, or on the engine's lanes where there are enough."""
        batches = list(pack(tokens.counts, self.loaded.token_budget, max_rows))
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
        return self._sentence_batch(batch, 1)

    def _sentence_batch(self, batch: TokenBatch, in_flight: int) -> Floats:
        loaded = self.loaded
        pooled_in_graph = SENTENCES in loaded.outputs
        if pooled_in_graph and (loaded.takes_pooling_mask or not batch.masks_differ):
            return self.engine.embed(loaded, batch, (SENTENCES,), in_flight)[SENTENCES]
        if TOKENS not in loaded.outputs:
            raise UnsupportedModelError(
                f"{self.folder.name} leaves its prompt out of pooling, and the graph pools without "
                f"a pooling mask and gives no token embeddings; convert the model with hotbed"
            )
        tokens = self.engine.embed(loaded, batch, (TOKENS,), in_flight)[TOKENS]
        vectors = self.engine.pool(loaded, tokens, batch, self.folder.pipeline.pooling)
        if self._heads is None:
            self._heads = build_heads(self.folder.path, self.folder.pipeline.heads)
        for head in self._heads:
            vectors = head(vectors)
        return vectors
