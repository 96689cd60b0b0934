"""Which prompt goes before a text; the rules are sentence-transformers 6.2's."""

from __future__ import annotations

import pytest

from hotbed.errors import UsageError
from hotbed.models.prompts import DOCUMENT_NAMES, QUERY_NAMES, Prompts

SAVED = {"prompts": {"query": "q: ", "passage": "p: "}, "default_prompt_name": "query"}


def test_the_folders_prompts() -> None:
    """A folder's prompts are there, with ``query`` and ``document`` in any case."""
    prompts = Prompts.merge(SAVED)
    assert prompts.texts == {"query": "q: ", "document": "", "passage": "p: "}
    assert prompts.default_name == "query"
    assert Prompts.merge({}).texts == {"query": "", "document": ""}


def test_the_users_prompts_win_even_when_empty() -> None:
    """Given prompts replace the folder's of that name, also with the empty text."""
    prompts = Prompts.merge(SAVED, given={"query": "", "mine": "m: "}, default_name="mine")
    assert prompts.texts == {"query": "", "document": "", "mine": "m: ", "passage": "p: "}
    assert prompts.resolve(None, None) == "m: "


def test_what_is_nearest_wins() -> None:
    """A prompt wins over a name, a name over the default, and no default means nothing."""
    prompts = Prompts.merge(SAVED)
    assert prompts.resolve("x: ", "passage") == "x: "
    assert prompts.resolve("", "passage") == ""
    assert prompts.resolve(None, "passage") == "p: "
    assert prompts.resolve(None, None) == "q: "
    assert Prompts.merge({}).resolve(None, None) == ""


def test_a_name_that_is_not_there_is_refused() -> None:
    """An unknown prompt name, or default, is an error that lists the names."""
    with pytest.raises(UsageError, match=r"prompt_name='q' is not among .*query, document"):
        Prompts.merge({}).resolve(None, "q")
    with pytest.raises(UsageError, match=r"default_prompt_name='q' is not among"):
        Prompts.merge(SAVED, default_name="q")
    with pytest.raises(UsageError, match=r"default_prompt_name='gone'"):
        Prompts.merge({"default_prompt_name": "gone"})


def test_the_special_methods_find_their_prompt() -> None:
    """``encode_document`` takes ``document``, which is always there, before ``passage``."""
    prompts = Prompts.merge(SAVED)
    assert prompts.first_of(QUERY_NAMES) == "query"
    assert prompts.first_of(DOCUMENT_NAMES) == "document"
    assert prompts.first_of(("absent",)) is None
