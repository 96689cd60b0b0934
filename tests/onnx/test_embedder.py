"""The embedder: order, batches, tokens, prompts, and what it refuses."""

from __future__ import annotations

import asyncio
import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import hotbed
from hotbed import Embedder, HotbedWarning, reference
from hotbed.errors import UsageError
from hotbed.inference.tokenisation import Tokenizer
from hotbed.models import read_folder
from hotbed.testing import TEXTS, build_tiny
from hotbed.testing.tiny import WORDS

pytestmark = pytest.mark.filterwarnings("ignore::hotbed.HotbedWarning")


@pytest.fixture
def model(tiny: Path) -> Iterator[Embedder]:
    """The tiny model."""
    with hotbed.load(tiny) as embedder:
        yield embedder


def many(count: int) -> list[str]:
    """Texts of many lengths, no two alike in order."""
    rng = np.random.default_rng(5)
    return [" ".join(rng.choice(WORDS, size=int(n))) for n in rng.integers(0, 20, size=count)]


def expected(folder: Path, texts: list[str], prompt: str = "", *, drop: bool = False) -> Any:
    """The numpy reference's vectors."""
    tokenizer = Tokenizer.open(read_folder(folder))
    tokens = tokenizer.encode(texts, prompt, drop_prompt=drop)
    return reference.sentence_embedding(folder, tokenizer.batch(tokens, np.arange(len(texts))))


def test_vectors_are_the_references(model: Embedder, tiny: Path) -> None:
    """From text to vector, the embedder gives what the numpy reference gives."""
    np.testing.assert_allclose(model.encode(TEXTS), expected(tiny, list(TEXTS)), atol=2e-5)


def test_order_is_the_callers(model: Embedder) -> None:
    """Rows come back in the caller's order though batches are made by length."""
    texts = many(300)
    forwards, backwards = model.encode(texts), model.encode(texts[::-1])
    np.testing.assert_allclose(forwards, backwards[::-1], atol=1e-5)


def test_a_row_alone_is_the_row_in_a_batch(model: Embedder) -> None:
    """Neighbours and padding do not change a vector."""
    whole = model.encode(TEXTS)
    for row, text in zip(whole, TEXTS, strict=True):
        np.testing.assert_allclose(model.encode(text), row, atol=1e-5)


def test_shapes(model: Embedder) -> None:
    """A text gives (d,), a list (n, d), an empty list (0, d); other sequences are lists."""
    assert model.encode("cat").shape == (32,)
    assert model.encode(["cat"]).shape == (1, 32)
    assert model.encode([]).shape == (0, 32)
    assert model.encode(("cat", "dog")).shape == (2, 32)
    assert model.encode(np.array(["cat", "dog"])).shape == (2, 32)
    rows = model.encode(["cat", "dog"], convert_to_numpy=False)
    assert isinstance(rows, list)
    assert [row.shape for row in rows] == [(32,), (32,)]
    assert model.get_sentence_embedding_dimension() == model.get_embedding_dimension() == 32


def test_threads_give_the_single_threaded_result(model: Embedder) -> None:
    """Eight threads over one embedder get what one thread gets."""
    parts = [many(40)[i::8] + many(8) for i in range(8)]
    expected = [model.encode(part) for part in parts]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(model.encode, parts * 3))
    for got, wanted in zip(found, expected * 3, strict=True):
        np.testing.assert_allclose(got, wanted, atol=1e-6)


def test_batch_size_is_a_cap(model: Embedder, calls: list[Any], tiny: Path) -> None:
    """``batch_size`` bounds the rows of a batch, and never raises the budget."""
    with hotbed.load(tiny) as watched:
        capped = watched.encode(many(50), batch_size=3)
        rows = [call[1] for call in calls if call[0] == "embed"]
        assert max(rows) == 3
        assert sum(rows) == 50
        calls.clear()
        watched.encode(many(500), batch_size=10_000)
        grids = [call[1] * call[2] for call in calls if call[0] == "embed"]
        assert max(grids) <= watched.loaded.token_budget
    np.testing.assert_allclose(capped, model.encode(many(50)), atol=1e-5)


def test_the_limit_of_length_can_be_set(model: Embedder) -> None:
    """A shorter ``max_seq_length`` cuts earlier, from the next call on."""
    assert model.max_seq_length == 16
    before = model.encode(TEXTS[4])
    model.max_seq_length = 5
    assert model.max_seq_length == 5
    assert not np.allclose(model.encode(TEXTS[4]), before)
    assert model.last_truncated == 1
    with pytest.raises(UsageError, match="max_seq_length=1"):
        model.max_seq_length = 1


def test_count_tokens_counts_what_would_be_cut(model: Embedder) -> None:
    """Full lengths, special tokens included, whatever the limit."""
    assert model.count_tokens("cat").tolist() == [3]
    assert model.count_tokens(["", "cat " * 100]).tolist() == [2, 102]


def test_cut_texts_are_counted_and_told_once(model: Embedder) -> None:
    """``last_truncated`` counts for each call; the warning comes once for each embedder."""
    with pytest.warns(HotbedWarning, match="2 of the texts are longer than 16 tokens") as told:
        model.encode(["cat " * 30, "dog " * 30, "cat"])
    assert told[0].filename == __file__
    assert model.last_truncated == 2
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.encode(["cat " * 30])
        assert model.last_truncated == 1
        model.encode(["cat"])
        assert model.last_truncated == 0


@pytest.mark.parametrize("drop", [False, True])
def test_prompts(tmp_path: Path, drop: bool) -> None:
    """A prompt goes before each text; the folder says whether pooling counts it."""
    folder = build_tiny(
        tmp_path / "m",
        pooling={"pooling_mode": "mean", "include_prompt": not drop},
        prompts={"query": "query : ", "document": "passage : "},
        default_prompt_name="query",
    )
    texts = ["the cat", "a dog runs"]
    query = expected(folder, texts, "query : ", drop=drop)
    with hotbed.load(folder) as model:
        for found in (
            model.encode(texts),
            model.encode(texts, prompt_name="query"),
            model.encode(texts, prompt="query : "),
            model.encode_query(texts),
        ):
            np.testing.assert_allclose(found, query, atol=2e-5)
        document = expected(folder, texts, "passage : ", drop=drop)
        np.testing.assert_allclose(model.encode_document(texts), document, atol=2e-5)
        bare = expected(folder, texts)
        np.testing.assert_allclose(model.encode(texts, prompt=""), bare, atol=2e-5)
        with pytest.raises(UsageError, match="prompt_name='gone' is not among the prompts"):
            model.encode(texts, prompt_name="gone")


def test_langchains_interface(model: Embedder) -> None:
    """``embed_documents`` and ``embed_query`` give plain lists, also from a coroutine."""
    rows = model.embed_documents(["cat", "dog"])
    assert rows == model.encode_document(["cat", "dog"]).tolist()
    assert model.embed_query("cat") == model.encode_query("cat").tolist()
    assert model.embed_documents([]) == []

    async def together() -> tuple[list[list[float]], list[float]]:
        return await model.aembed_documents(["cat", "dog"]), await model.aembed_query("cat")

    assert asyncio.run(together()) == (rows, model.embed_query("cat"))


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        (["cat", 3], r"inputs\[1\] is int, not a string: 3"),
        ([None], r"inputs\[0\] is NoneType"),
        (["cat", ["dog"]], r"inputs\[1\] is list"),
        ([b"cat"], r"inputs\[0\] is bytes"),
        (None, "inputs is NoneType; give a string, a list"),
        (7, "inputs is int"),
        ({"text": "cat"}, "inputs is dict"),
        ({"cat", "dog"}, "inputs is set"),
        (b"cat", "inputs is bytes"),
    ],
)
def test_what_is_not_a_text_is_named_with_its_place(
    model: Embedder, inputs: Any, message: str
) -> None:
    """The index of the first input that is no string stands in the error."""
    with pytest.raises(UsageError, match=message):
        model.encode(inputs)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"convert_to_tensor": True}, r"torch\.from_numpy"),
        ({"device": "cuda"}, "this model is on cpu"),
        ({"batch_size": 0}, "batch_size=0"),
        ({"output_value": "tokens"}, "output_value='tokens' is not one of"),
        ({"precision": "int4"}, "precision='int4'"),
        ({"precision": "int8", "output_value": "token_embeddings"}, "for sentence embeddings"),
        ({"truncate_dim": 0}, "truncate_dim=0"),
        ({"truncate_dim": 33}, "have 32 dimensions"),
    ],
)
def test_arguments_that_cannot_be_used(
    model: Embedder, options: dict[str, Any], message: str
) -> None:
    """A mistaken argument is refused by name and value, for texts and for none."""
    for inputs in (["cat"], []):
        with pytest.raises(UsageError, match=message):
            model.encode(inputs, **options)
    assert model.encode("cat", device="cpu").shape == (32,)
