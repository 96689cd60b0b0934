"""Cut a long text before it is tokenized, where that provably gives the same tokens.

A tokenizer works on the whole of a text before it drops what is beyond the limit: 10 MB for a limit
of 64 tokens take 20 seconds and 860 MB. If a text falls into two parts that the tokenizer treats
each by itself, the first part's tokens are the first of the whole text's. So the first part alone
decides once it has more tokens than the limit lets pass.

Where it falls so: before a space between two letters or digits, if

- every step of the normalizer looks at single characters and their marks, or at runs of spaces;
- the pre-tokenizer begins anew at a space, and no step of it looks beyond one;
- no added token has a space after its first character.

A tokenizer as BERT's drops every space and takes each Chinese character and each mark by itself, so
its texts fall apart at these too. The steps below were read in the source of ``tokenizers`` with
that in mind, and a property test compares with whole texts. Anything else is tokenized whole.
"""

from __future__ import annotations

import contextlib
import json
import re
import string
import unicodedata
from collections.abc import Iterator
from typing import Any

from attrs import frozen

__all__ = ["HUGE_TEXT", "LONG_TEXT", "LongTexts", "give_back_memory"]

_CHARACTERS_A_TOKEN = 16
"""Characters of the first part for each token of the limit; English has 4 to 5."""

LONG_TEXT = 8_192
"""Characters below which cutting would gain nothing."""

HUGE_TEXT = 500_000
"""Characters from which a text that is tokenized whole leaves memory behind."""

_TRIES = 1_000
"""Spaces that are looked at for one cut."""

_LOCAL_NORMALIZERS = frozenset(
    "BertNormalizer Lowercase NFC NFD NFKC NFKD Nmt Precompiled Prepend Strip StripAccents".split()
)
_DROP_SPACES = frozenset("BertPreTokenizer Whitespace WhitespaceSplit".split())
_LOCAL_PRE_TOKENIZERS = frozenset("ByteLevel Digits Punctuation".split())
_KEEP_MARKS = frozenset("BertNormalizer Lowercase NFD StripAccents".split())
_RUNS_OF_SPACES = frozenset((" {2,}", " +", r"\s+", r"\s{2,}"))
_GPT_2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
_QWEN = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
_LLAMA = _QWEN.replace(r"|\p{N}|", r"|\p{N}{1,3}|")
_PATTERNS = frozenset((_GPT_2, _QWEN, _LLAMA))
"""Splits of GPT-2, Qwen 2 and 3, and Llama 3: a space ends whatever stands before it."""
# Letters and digits; marks would join what stands before them, even a space.
_WORDS = frozenset(("Lu", "Ll", "Lt", "Lo", "Nd"))
# Letters that Unicode joins to whatever follows them (Grapheme_Cluster_Break=Prepend).
_JOINING = re.compile(
    "[\u0d4e\U000111c2\U000111c3\U0001193f\U00011941\U00011a3a\U00011a84-\U00011a89\U00011d46]"
)
_LONG_GAP = re.compile("[ \t\r\n]{64,}")
_MARKS = frozenset(string.punctuation)
_IDEOGRAPHS = re.compile("[\u3400-\u4dbf\u4e00-\u9fff]")


def give_back_memory() -> None:
    """Give freed memory back to the system, which glibc keeps where it was freed in small pieces.

    10 MB that were tokenized whole leave 800 MB otherwise, for as long as the process lives.
    """
    import ctypes

    with contextlib.suppress(AttributeError, OSError, TypeError):  # another C library
        ctypes.CDLL(None).malloc_trim(0)


@frozen(kw_only=True)
class LongTexts:
    """How one tokenizer's long texts may be cut.

    Attributes:
        limit: Tokens that are kept of a text.
        drops_spaces: Whether a run of spaces is worth no more than one.
        ideographs: Whether each Chinese character is a word of its own.
        marks: Whether each mark of ASCII is, too.
        added: What the added tokens look like.
        longest_word: Letters beyond which a word is one unknown token; None where that is not so.
    """

    limit: int
    drops_spaces: bool = False
    ideographs: bool = False
    marks: bool = False
    added: tuple[str, ...] = ()
    longest_word: int | None = None

    @classmethod
    def of(cls, backend: Any) -> LongTexts | None:
        """Read how a ``tokenizers.Tokenizer`` works; None where its texts may not be cut."""
        truncation = backend.truncation
        if not truncation or truncation["direction"] != "right" or truncation.get("stride"):
            return None
        added = [token.content for token in backend.get_added_tokens_decoder().values()]
        if any(re.search(r".[\s\u2581]", content, re.DOTALL) for content in added):
            return None
        normalizers, splitters = _steps(backend.normalizer), _steps(backend.pre_tokenizer)
        if normalizers is None or splitters is None:
            return None
        if not all(map(_is_local_normalizer, normalizers)):
            return None
        if not all(map(_is_local_pre_tokenizer, splitters)) or not any(map(_splits, splitters)):
            return None
        first = normalizers[0] if normalizers else {}
        drops_spaces = splitters[0]["type"] in _DROP_SPACES
        like_bert = [step["type"] for step in splitters] == ["BertPreTokenizer"]
        return cls(
            limit=truncation["max_length"],
            drops_spaces=drops_spaces,
            ideographs=drops_spaces and bool(first.get("handle_chinese_chars")),
            marks=like_bert and all(step["type"] in _KEEP_MARKS for step in normalizers),
            added=tuple(added),
            longest_word=_longest_word(backend, added) if like_bert else None,
        )

    def parts(self, text: str) -> Iterator[str]:
        """First parts of a text, each twice as long as the one before; at last the whole."""
        length = max(LONG_TEXT // 2, _CHARACTERS_A_TOKEN * self.limit)
        if length < len(text) and (end := self._end_before(text, length)):
            yield text[:end]  # nearly always enough, and nothing else is looked at
        if self.drops_spaces:
            text = _LONG_GAP.sub(lambda run: run[0][:2] + run[0][-2:], text)
        if self.longest_word is not None:
            text = _without_endless_words(text, self.longest_word)
        while length < len(text):
            if end := self._end_before(text, length):
                yield text[:end]
            length *= 2
        yield text

    def _end_before(self, text: str, length: int) -> int:
        """Where a part ends, at most at ``length``; 0 where no place was found near it."""
        end = length
        for _ in range(_TRIES):
            if self._falls_apart(text, end):
                return end
            end -= 1
            if not (self.ideographs or self.marks):
                end = text.rfind(" ", length // 2, end + 1)
            if end <= length // 2:
                return 0
        return 0

    def _falls_apart(self, text: str, at: int) -> bool:
        before, here = text[at - 1], text[at]
        if here == " ":
            return at + 1 < len(text) and _ends_word(before) and _is_word(text[at + 1])
        apart = (self.marks and before in _MARKS and here in _MARKS) or (
            self.ideographs and _IDEOGRAPHS.match(before) and _IDEOGRAPHS.match(here)
        )
        return bool(apart) and not any(before + here in content for content in self.added)


def _is_word(character: str) -> bool:
    if character.isascii():
        return character.isalnum()
    return unicodedata.category(character) in _WORDS and not unicodedata.combining(character)


def _ends_word(character: str) -> bool:
    return _is_word(character) and not _JOINING.match(character)


def _steps(part: Any) -> list[dict[str, Any]] | None:
    """The steps of a normalizer or pre-tokenizer; None where it does not tell them."""
    if part is None:
        return []
    try:
        state = json.loads(part.__getstate__())
    except Exception:  # one written in Python, of which nothing is known
        return None
    return list(_flat(state))


def _flat(state: dict[str, Any]) -> Iterator[dict[str, Any]]:
    inner = state.get("normalizers", state.get("pretokenizers"))
    if state["type"] != "Sequence" or inner is None:
        yield state
        return
    for step in inner:
        yield from _flat(step)


def _is_local_normalizer(step: dict[str, Any]) -> bool:
    if step["type"] != "Replace":
        return step["type"] in _LOCAL_NORMALIZERS
    pattern, content = step["pattern"], step["content"]
    if "String" in pattern:  # a mark for another: no word begins or ends by it
        both = pattern["String"] + content
        return bool(content) and not any(one.isalnum() or one.isspace() for one in both)
    # Single spaces have to stay what they are.
    return pattern.get("Regex") in _RUNS_OF_SPACES and (content == " " or "{2," in pattern["Regex"])


def _is_local_pre_tokenizer(step: dict[str, Any]) -> bool:
    return _splits(step) or step["type"] in _LOCAL_PRE_TOKENIZERS


def _splits(step: dict[str, Any]) -> bool:
    """Whether a step begins anew at every single space, and looks no further."""
    kind = step["type"]
    if kind == "Split":
        return step["pattern"].get("Regex") in _PATTERNS and step["behavior"] == "Isolated"
    if kind == "ByteLevel":
        return bool(step.get("use_regex", True))
    if kind == "Metaspace":
        return bool(step.get("split", True))
    return kind in _DROP_SPACES


def _longest_word(backend: Any, added: list[str]) -> int | None:
    """Letters beyond which WordPiece takes no look at a word."""
    if type(backend.model).__name__ != "WordPiece":
        return None
    edges = "".join(content[:1] + content[-1:] for content in added)
    if any(edge.isalnum() for edge in edges):  # it could begin inside of a word
        return None
    return int(backend.model.max_input_chars_per_word)


def _without_endless_words(text: str, longest: int) -> str:
    """Shorten runs of letters that are one unknown token at any length beyond ``longest``."""
    kept = longest + 1
    return re.sub(f"[A-Za-z0-9]{{{4 * kept},}}", lambda run: run[0][:kept], text)
