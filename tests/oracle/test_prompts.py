"""Which prompt is put in front, and how pooling leaves it out."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from attrs import evolve

import hotbed
from hotbed import Embedder
from hotbed.backends.values import POOLING_MODES
from hotbed.errors import NonFiniteError, UsageError
from hotbed.testing import build_tiny
from hotbed.testing.tiny import TEXTS
from tests.oracle.pair import CUT, Pair

pytestmark = pytest.mark.filterwarnings(CUT)

Both = Callable[..., Pair]
METHODS = ("encode", "encode_query", "encode_document")
PROMPTS = (
    "query : ",
    "the",
    " search",
    "☃ ",
    "cats",
    "search the answer . question the house : ",
    "water " * 30,
)
"""None, a few, and more tokens than the model reads; with and without a space; joining a word."""


def handing_out(pair: Pair, mode: str) -> Pair:
    """Of max pooling, hotbed as it is when asked for infinity, which max of nothing is."""
    if mode != "max":
        return pair
    return evolve(pair, hotbed=hotbed.load(pair.hotbed.folder.path, on_nonfinite="allow"))


@pytest.mark.parametrize("prompt", PROMPTS)
def test_a_prompt(plain: Pair, prompt: str) -> None:
    """A prompt is put in front as it stands, as sentence-transformers does."""
    plain.agree(prompt=prompt)


@pytest.mark.parametrize("side", ["right", "left"])
@pytest.mark.parametrize("mode", POOLING_MODES)
def test_a_prompt_left_out_of_pooling(both: Both, mode: str, side: str) -> None:
    """With include_prompt false, prompts of every length are left out as in the oracle."""
    pooling = {"pooling_mode": mode, "include_prompt": False}
    pair = handing_out(both(pooling=pooling, heads=(), padding_side=side), mode)
    for prompt in PROMPTS:
        pair.agree(prompt=prompt)
    pair.agree("a dog runs", prompt=PROMPTS[0])
    pair.agree(prompt="")


def test_heads_after_a_prompt_left_out(both: Both) -> None:
    """Modules after a pooling without its prompt give sentence-transformers' vectors."""
    pooling = {"pooling_mode": ["cls", "mean"], "include_prompt": False}
    pair = both(pooling=pooling, heads=("Dense", "LayerNorm", "Normalize"))
    pair.agree(prompt="search the answer : ")


@pytest.mark.parametrize("mode", POOLING_MODES)
def test_nothing_left_to_pool(both: Both, mode: str) -> None:
    """Where a prompt alone has more tokens than prompt and text, the oracle's vector comes out."""
    strict = both(pooling={"pooling_mode": mode, "include_prompt": False}, heads=())
    if mode == "max":
        with pytest.raises(NonFiniteError, match="no token left"):
            strict.hotbed.encode("z", prompt="cats")
    pair = handing_out(strict, mode)
    assert pair.hotbed.count_tokens("cats").tolist() > pair.hotbed.count_tokens("catsz").tolist()
    pair.agree(["z", "a dog runs"], prompt="cats")
    pair.agree("z", prompt="cats")


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"prompt_name": "question"},
        {"prompt_name": "query"},
        {"prompt": "the "},
        {"prompt": ""},
        {"prompt": "the ", "prompt_name": "question"},
        {"prompt": "", "prompt_name": "question"},
    ],
    ids=str,
)
def test_precedence(both: Both, method: str, options: dict[str, str]) -> None:
    """prompt beats prompt_name, then the method's own, then the default, as in the oracle."""
    prompts = {"query": "query : ", "document": "document : ", "question": "question ? "}
    pair = both(prompts=prompts, default_prompt_name="question")
    pair.agree(method=method, **options)
    names = {"encode": "question", "encode_query": "query", "encode_document": "document"}
    if not options:
        expected = pair.hotbed.encode(list(TEXTS), prompt=prompts[names[method]])
        assert (getattr(pair.hotbed, method)(list(TEXTS)) == expected).all()


@pytest.mark.parametrize("name", ["passage", "corpus"])
def test_trap_a_passage_prompt_is_not_reached(both: Both, name: str) -> None:
    """encode_document uses no prompt of a folder that only has "passage": the oracle's trap."""
    pair = both(prompts={name: "passage : "})
    pair.agree(method="encode_document")
    for model in (pair.st, pair.hotbed):
        assert model.prompts == {"query": "", "document": "", name: "passage : "}
        np.testing.assert_array_equal(model.encode_document("a dog"), model.encode("a dog"))
        assert np.abs(model.encode("a dog", prompt_name=name) - model.encode("a dog")).max() > 1e-3


@pytest.mark.parametrize("method", ["encode_query", "encode_document"])
def test_trap_the_default_prompt_is_bypassed(both: Both, method: str) -> None:
    """encode_query and encode_document bypass default_prompt_name: the oracle's trap."""
    pair = both(prompts={"question": "question ? "}, default_prompt_name="question")
    pair.agree(method=method)
    for model in (pair.st, pair.hotbed):
        special = getattr(model, method)("a dog")
        np.testing.assert_array_equal(special, model.encode("a dog", prompt=""))
        assert np.abs(special - model.encode("a dog")).max() > 1e-3


@pytest.mark.parametrize(
    "given",
    [
        {"query": "search : "},
        {"query": ""},
        {"answer": "answer . "},
        {"query": "search : ", "document": "", "answer": "answer . "},
    ],
    ids=str,
)
def test_given_prompts_beat_saved_ones(
    tmp_path: Path, pair: Callable[..., Pair], given: dict[str, str]
) -> None:
    """Prompts given at load beat the folder's, even empty ones, as in sentence-transformers."""
    folder = build_tiny(tmp_path / "tiny", prompts={"query": "query : ", "document": "document : "})
    models = pair(folder, prompts=given)
    assert models.hotbed.prompts == models.st.prompts
    for method in METHODS:
        models.agree(method=method)


def test_a_default_given_at_load(tmp_path: Path, pair: Callable[..., Pair]) -> None:
    """default_prompt_name given at load beats the folder's, as in sentence-transformers."""
    prompts = {"question": "question ? ", "answer": "answer . "}
    folder = build_tiny(tmp_path / "tiny", prompts=prompts, default_prompt_name="question")
    models = pair(folder, default_prompt_name="answer")
    assert models.hotbed.default_prompt_name == models.st.default_prompt_name == "answer"
    models.agree()


def test_an_unknown_name_is_an_error(plain: Pair) -> None:
    """Both refuse a prompt_name that is not among the prompts with a ValueError naming them."""
    for model in (plain.st, plain.hotbed):
        with pytest.raises(ValueError, match=r"(?s)sorry.*query.*document"):
            model.encode("a dog", prompt_name="sorry")


def test_an_unknown_default_is_an_error(
    tmp_path: Path, st: Callable[..., Any], hb: Callable[..., Embedder]
) -> None:
    """Both refuse to load with a default_prompt_name that is not among the prompts."""
    folder = build_tiny(tmp_path / "tiny", default_prompt_name="sorry")
    with pytest.raises(ValueError, match="sorry"):
        st(folder)
    with pytest.raises(UsageError, match="sorry"):
        hb(folder)
