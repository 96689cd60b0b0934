"""The hooks themselves, called as the core calls them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from attrs import evolve
from numpy.typing import NDArray

from hotbed.backends.engine import Engine
from hotbed.backends.values import Loaded, TokenBatch
from hotbed.inference.embedder import Embedder
from hotbed.testing.opening import OpeningSuite
from hotbed.testing.tiny import TEXTS
from hotbed.testing.tolerance import TOLERANCES, assert_close

__all__ = ["BatchTests"]

_RANKS = {"sentence_embedding": 2, "token_embeddings": 3}


class BatchTests(OpeningSuite):
    """What ``hotbed_load`` says is so; what ``hotbed_embed`` gives is whole, and the caller's."""

    @pytest.fixture
    def batch(self, model: Embedder) -> TokenBatch:
        """Texts of all lengths in one batch, mostly padding."""
        runner = model._open()
        tokens = runner.tokenize(list(TEXTS), "")
        return runner.tokenizer.batch(tokens, np.arange(len(TEXTS)))

    def test_the_facts_of_loaded_are_usable(self, loaded: Loaded) -> None:
        """``Loaded`` names outputs that the core knows, and counts that are at least 1.

        Else the core cannot batch for this engine: see the attributes of ``Loaded``.
        """
        assert set(loaded.outputs) & set(_RANKS)
        assert loaded.provider, "provider: what runs it, in the runtime's own words"
        assert loaded.dimension > 0
        assert loaded.token_budget > 0
        assert loaded.lanes > 0
        assert loaded.dtype in TOLERANCES

    def test_every_output_that_is_offered_is_given(
        self, engine: Engine, loaded: Loaded, batch: TokenBatch
    ) -> None:
        """Each name in ``Loaded.outputs`` comes as float32, contiguous, with a row a text."""
        results = engine.embed(loaded, batch, loaded.outputs)
        assert set(results) == set(loaded.outputs)
        for name, value in results.items():
            assert value.dtype == np.float32, f"{name} is {value.dtype}: cast it"
            assert value.flags.c_contiguous, f"{name} is a view: np.ascontiguousarray"
            assert value.ndim == _RANKS.get(name, value.ndim)
            assert np.isfinite(value).all()

    def test_outputs_are_given_alone(
        self, engine: Engine, loaded: Loaded, batch: TokenBatch
    ) -> None:
        """An output asked for alone is what it was among the others."""
        together = engine.embed(loaded, batch, loaded.outputs)
        for name in loaded.outputs:
            alone = engine.embed(loaded, batch, (name,))[name]
            np.testing.assert_allclose(alone, together[name], atol=1e-6)

    def test_the_batch_is_left_as_it_was(
        self, engine: Engine, loaded: Loaded, batch: TokenBatch
    ) -> None:
        """The hook works on arrays that it may not write. Else copy before changing them."""
        frozen = evolve(
            batch, input_ids=batch.input_ids.copy(), attention_mask=batch.attention_mask.copy()
        )
        frozen.input_ids.setflags(write=False)
        frozen.attention_mask.setflags(write=False)
        engine.embed(loaded, frozen, loaded.outputs)

    def test_results_stay_when_the_next_batch_runs(
        self, engine: Engine, loaded: Loaded, batch: TokenBatch
    ) -> None:
        """A result is the caller's. Else it is a view of the engine's buffer: copy it."""
        first = engine.embed(loaded, batch, loaded.outputs)
        kept = {name: value.copy() for name, value in first.items()}
        other = evolve(batch, input_ids=np.ascontiguousarray(batch.input_ids[::-1]))
        engine.embed(loaded, other, loaded.outputs)
        for name, value in first.items():
            np.testing.assert_array_equal(value, kept[name])

    def test_one_token_and_all_but_one_padding(
        self, engine: Engine, loaded: Loaded, batch: TokenBatch
    ) -> None:
        """A row of one token and 99 of padding gives what the token gives alone.

        Else attention or pooling counts padding, or the engine's shapes are fixed.
        """
        if loaded.masks_padding is False:
            return  # nothing is ever padded for it
        if loaded.batch_dependent:
            return  # held to the dtype's fidelity in test_padding_does_not_matter
        alone = _row(batch.input_ids[:1, :1], 1)
        padded = _row(batch.input_ids[:1, :1], 40)
        name = loaded.outputs[0]
        first = engine.embed(loaded, alone, (name,))[name].reshape(1, -1)
        second = engine.embed(loaded, padded, (name,))[name].reshape(1, -1)
        assert_close(loaded.dtype, second[:, : first.shape[1]], first)

    def test_batches_in_flight(self, engine: Engine, loaded: Loaded, batch: TokenBatch) -> None:
        """As many calls at once as ``Loaded.lanes`` says give what one call gives."""
        name = loaded.outputs[0]
        wanted = engine.embed(loaded, batch, (name,))[name]

        def work(_: int) -> NDArray[np.float32]:
            return engine.embed(loaded, batch, (name,), loaded.lanes)[name]

        with ThreadPoolExecutor(loaded.lanes) as pool:
            for found in pool.map(work, range(4 * loaded.lanes)):
                assert_close(loaded.dtype, found.reshape(len(found), -1), _flat(wanted))


def _flat(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    return rows.reshape(len(rows), -1)


def _row(token: NDArray[np.int64], width: int) -> TokenBatch:
    """One token and padding after it."""
    input_ids = np.zeros((1, width), np.int64)
    input_ids[:, :1] = token
    mask = np.zeros_like(input_ids)
    mask[:, 0] = 1
    return TokenBatch(input_ids=input_ids, attention_mask=mask, pooling_mask=mask)
