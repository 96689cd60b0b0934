"""The suite that a backend's embedding must pass; subclass it and name the backend.

>>> class TestAcme(EmbedSuite):
...     backend = "acme"

The models are small, real and built on the spot; nothing touches the network.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from numpy.typing import NDArray

from hotbed.errors import ClosedError
from hotbed.inference.embedder import Embedder
from hotbed.loading import load
from hotbed.testing.tiny import TEXTS, build_tiny

__all__ = ["TOLERANCES", "EmbedSuite"]

TOLERANCES = {"float32": 1e-5, "bfloat16": 3e-2, "float16": 3e-3}
"""Arithmetic → largest difference between two ways of computing one unit vector."""

_POOLINGS: dict[str, dict[str, Any]] = {
    "mean": {"pooling_mode_mean_tokens": True},
    "cls": {"pooling_mode_cls_token": True},
    "joined": {"pooling_mode": ["max", "lasttoken", "weightedmean", "mean_sqrt_len_tokens"]},
}


@pytest.mark.filterwarnings("ignore::hotbed.HotbedWarning")
class EmbedSuite:
    """What every embedding backend promises.

    Attributes:
        backend: The backend's name.
        device: Where to run it.
        dtype: The arithmetic to ask for; None is that of the stored weights.
    """

    backend: ClassVar[str]
    device: ClassVar[str] = "auto"
    dtype: ClassVar[str | None] = None

    @pytest.fixture(params=sorted(_POOLINGS))
    def folder(self, request: pytest.FixtureRequest, tmp_path: Path) -> Path:
        """A tiny model folder, one for each kind of pooling."""
        return build_tiny(tmp_path / request.param, pooling=_POOLINGS[request.param])

    @pytest.fixture
    def model(self, folder: Path) -> Iterator[Embedder]:
        """The folder, opened by the backend under test."""
        with self.open(folder) as embedder:
            yield embedder

    def open(self, folder: Path, **options: Any) -> Embedder:
        """Open a folder with this backend and no other."""
        return load(folder, backend=self.backend, device=self.device, dtype=self.dtype, **options)

    def assert_close(self, model: Embedder, a: NDArray[Any], b: NDArray[Any]) -> None:
        """Equal within the tolerance of the arithmetic."""
        np.testing.assert_allclose(a, b, rtol=0, atol=TOLERANCES[model.loaded.dtype])

    def test_the_backend_asked_for_is_the_one_used(self, model: Embedder) -> None:
        """A named backend is used, and the decision says so. Else: selection was bypassed."""
        assert model.decision.chosen is not None
        assert model.decision.chosen.backend == self.backend
        assert self.device in ("auto", model.loaded.device)

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
        self.assert_close(model, forwards, backwards[::-1])

    def test_a_row_does_not_depend_on_its_batch(self, model: Embedder) -> None:
        """A text alone equals its row in a batch, unless Loaded says `batch_dependent`."""
        if model.loaded.batch_dependent:
            pytest.skip("the backend declares that rows depend on their batch")
        together = model.encode(list(TEXTS))
        alone = np.stack([model.encode(text) for text in TEXTS])
        self.assert_close(model, together, alone)

    def test_padding_does_not_matter(self, model: Embedder) -> None:
        """Beside a long text, padding changes nothing. Else: attention_mask is not obeyed."""
        if model.loaded.batch_dependent:
            pytest.skip("the backend declares that rows depend on their batch")
        long = " ".join(["stone"] * 12)
        beside = model.encode(["bread", long], batch_size=2)
        self.assert_close(model, beside[0], model.encode("bread"))

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
        self.assert_close(model, vectors[0], vectors[1])
        assert model.last_truncated == 1

    def test_the_same_call_gives_the_same_bytes(self, model: Embedder) -> None:
        """Two equal calls give equal results. Else: something random or stateful runs."""
        first, second = model.encode(list(TEXTS)), model.encode(list(TEXTS))
        np.testing.assert_array_equal(first, second)

    def test_eight_threads_give_the_single_threaded_result(self, model: Embedder) -> None:
        """One embedder serves eight threads. Else: the handle is not safe to share."""
        expected = model.encode(list(TEXTS))
        with ThreadPoolExecutor(8) as pool:
            results = list(pool.map(lambda _: model.encode(list(TEXTS)), range(32)))
        for result in results:
            np.testing.assert_array_equal(result, expected)

    def test_close_twice_and_load_again(self, folder: Path) -> None:
        """A closed model refuses to work, closes again without harm, and opens again."""
        first = self.open(folder)
        expected = first.encode("bread")
        first.close()
        first.close()
        with pytest.raises(ClosedError):
            first.encode("bread")
        with self.open(folder) as again:
            np.testing.assert_array_equal(again.encode("bread"), expected)

    def test_a_prompt_left_out_of_pooling(self, tmp_path: Path) -> None:
        """With include_prompt false, the prompt shapes attention and not the pooled tokens."""
        pooling = {"pooling_mode_mean_tokens": True, "include_prompt": False}
        prompts = {"query": "query : "}
        with (
            self.open(build_tiny(tmp_path / "out", pooling=pooling, prompts=prompts)) as without,
            self.open(build_tiny(tmp_path / "in", prompts=prompts)) as within,
        ):
            tokens = without.encode_query("red fish", output_value="token_embeddings")
            start = without._open().tokenizer.prompt_length(prompts["query"])
            mean = tokens[start:].mean(axis=0)
            expected = mean / np.linalg.norm(mean)
            self.assert_close(without, without.encode_query("red fish"), expected)
            self.assert_close(without, without.encode("red fish"), within.encode("red fish"))
            assert not np.allclose(
                without.encode_query("red fish"), within.encode_query("red fish"), atol=1e-3
            )
