"""What users see of a backend: the vectors that ``encode`` gives."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from hotbed import reference
from hotbed.backends.engine import Engine
from hotbed.fidelity import compare_vectors, threshold
from hotbed.inference.embedder import Embedder
from hotbed.inference.runner import Runner
from hotbed.loading import House
from hotbed.testing.cases import Case
from hotbed.testing.opening import OpeningSuite
from hotbed.testing.supply import KINDS, model_for
from hotbed.testing.tiny import TEXTS
from hotbed.testing.tolerance import assert_close, assert_right

__all__ = ["VectorTests"]

Floats = NDArray[np.float32]


class VectorTests(OpeningSuite):
    """Right numbers, in the caller's order, whatever stands beside a text."""

    def test_the_backend_asked_for_is_the_one_used(self, model: Embedder, case: Case) -> None:
        """Backend, device and arithmetic are those that were named, and ``Loaded`` says so.

        Else set ``Loaded.device`` and ``Loaded.dtype`` to what really runs, or raise DeviceError.
        """
        assert model.decision.chosen is not None
        assert model.decision.chosen.backend == case.backend
        assert model.loaded.device == case.device
        assert model.loaded.dtype == case.dtype

    @pytest.mark.parametrize("kind", KINDS)
    def test_equals_the_numpy_reference(self, runnable: Case, base: Path, kind: str) -> None:
        """The vectors are those of an independent float64 forward, within the dtype's tolerance.

        Else, in this order: are inputs fed by name; is ``attention_mask`` obeyed; which GELU and
        which epsilon does the engine use; does it compute in the arithmetic that it says?
        """
        folder = model_for(runnable, kind, base)
        with self.open(runnable, folder) as model:
            name = "query" if kind == "prompted" else None
            found = model.encode(list(TEXTS), prompt_name=name)
            wanted = _expected(model._open(), list(TEXTS), model.prompts.get(name or "", ""))
            assert_right(model.loaded.dtype, found, wanted)

    def test_shape_dtype_and_layout(self, model: Embedder) -> None:
        """A list gives (n, d) float32, contiguous. Else: cast and copy in hotbed_embed."""
        vectors = model.encode(list(TEXTS))
        assert vectors.shape == (len(TEXTS), model.get_embedding_dimension())
        assert vectors.dtype == np.float32
        assert vectors.flags.c_contiguous
        assert np.isfinite(vectors).all()

    def test_a_text_alone_and_an_empty_list(self, model: Embedder) -> None:
        """A text gives (d,), no texts give (0, d). Else: the dimension of Loaded is wrong."""
        width = model.get_embedding_dimension()
        assert model.encode(TEXTS[0]).shape == (width,)
        assert model.encode([]).shape == (0, width)

    def test_order_is_the_callers(self, model: Embedder) -> None:
        """Reversed texts give reversed rows. Else: rows do not keep the batch's order."""
        forwards, backwards = model.encode(list(TEXTS)), model.encode(list(TEXTS[::-1]))
        _assert_same(model, forwards, backwards[::-1])

    def test_a_row_does_not_depend_on_its_batch(self, model: Embedder) -> None:
        """A text alone equals its row in a batch, unless ``Loaded.batch_dependent`` says not so.

        Else a text's vector changes with its neighbours, as under dynamic quantisation: say so
        in ``batch_dependent``; it is then held to the dtype's fidelity instead of equality.
        """
        together = model.encode(list(TEXTS))
        alone = np.stack([model.encode(text) for text in TEXTS])
        _assert_same(model, together, alone)

    def test_padding_does_not_matter(
        self, model: Embedder, engine: Engine, house: House, runnable: Case
    ) -> None:
        """Beside a long text, padding changes nothing. Else: attention_mask is not obeyed.

        Where that is meant, say ``Loaded.masks_padding=False``: batches then hold one length.
        """
        said = engine.load(self.artifact(house, model), self.load_options(runnable))
        engine.close(said)
        assert said.masks_padding is False or model.loaded.masks_padding, (
            "attention_mask is not obeyed: a text alone and padded has two vectors"
        )
        long = " ".join(["stone"] * 12)
        beside = model.encode(["bread", long], batch_size=2)
        _assert_same(model, beside[:1], model.encode(["bread"]))

    def test_empty_and_one_token_texts(self, model: Embedder) -> None:
        """An empty text has a vector of its own. Else: rows without words are not handled."""
        empty, word = model.encode(["", "bread"])
        assert np.isfinite(empty).all()
        assert not np.allclose(empty, word, atol=1e-3)

    def test_over_long_texts_are_cut_and_counted(self, model: Embedder) -> None:
        """Tokens past max_seq_length change nothing, and the cut is counted."""
        limit = model.max_seq_length
        assert limit is not None
        exact = " ".join(["bread"] * (limit - 2))
        vectors = model.encode([exact, exact + " stone water"])
        _assert_same(model, vectors[:1], vectors[1:])
        assert model.last_truncated == 1

    def test_the_same_call_gives_the_same_bytes(self, model: Embedder) -> None:
        """Two equal calls give equal results. Else: something random or stateful runs."""
        first, second = model.encode(list(TEXTS)), model.encode(list(TEXTS))
        np.testing.assert_array_equal(first, second)

    def test_a_prompt_left_out_of_pooling(self, runnable: Case, base: Path) -> None:
        """With include_prompt false, the prompt shapes attention and not the pooled tokens.

        Else ``takes_pooling_mask`` is claimed and ``TokenBatch.pooling_mask`` is not used.
        """
        with self.open(runnable, model_for(runnable, "prompted", base)) as model:
            query, document = model.encode_query("red fish"), model.encode("red fish")
            runner = model._open()
            assert_right(
                model.loaded.dtype,
                query[None],
                _expected(runner, ["red fish"], model.prompts["query"]),
            )
            assert not np.allclose(query, document, atol=1e-3)


def _expected(runner: Runner, texts: list[str], prompt: str) -> Floats:
    """The reference's vectors for texts tokenised as ``encode`` does."""
    tokens = runner.tokenize(texts, prompt)
    batch = runner.tokenizer.batch(tokens, np.arange(len(texts)))
    plain = runner.folder.path
    if not (plain / "model.safetensors").exists():  # the kit's converted and quantised folders
        plain = plain.parent / "plain"
    return reference.sentence_embedding(plain, batch)


def _assert_same(model: Embedder, found: Floats, wanted: Floats) -> None:
    """Equal within the arithmetic; where rows depend on their batch, as near as its dtype asks."""
    if not model.loaded.batch_dependent:
        assert_close(model.loaded.dtype, found, wanted)
        return
    shortfall = threshold(model.loaded.dtype).shortfall(compare_vectors(wanted, found))
    assert not shortfall, shortfall
