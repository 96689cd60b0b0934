"""Texts to token numbers, with ``tokenizers``; set once at load, never per call.

Setting truncation or padding on a shared tokenizer at each call is what makes concurrent callers
fail with "Already borrowed". So the tokenizer only truncates, once set, and padding is done here.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
from attrs import evolve, field, frozen
from numpy.typing import NDArray

from hotbed.backends.values import TokenBatch
from hotbed.errors import UsageError
from hotbed.inference.bert_normaliser import follow_configuration
from hotbed.inference.invalid_text import find_surrogate, refuse_surrogates, replace_surrogates
from hotbed.inference.limits import folder_limit, outside_table, table_rows
from hotbed.inference.long_texts import HUGE_TEXT, LONG_TEXT, LongTexts, give_back_memory
from hotbed.inference.named_tokens import add_named_tokens, refuse_other_tokens
from hotbed.inference.tokenizer_file import open_backend
from hotbed.models.boundary import reading
from hotbed.models.folder import ModelFolder
from hotbed.models.layout import TOKENIZER

__all__ = ["Tokenizer", "Tokens"]


@frozen(kw_only=True, eq=False)
class Tokens:
    """Some texts as token numbers, not padded.

    Attributes:
        ids: One list of token numbers a text.
        counts: How many tokens each text has, (n,) int64.
        truncated: How many of the texts were cut to ``max_seq_length``.
        prompt_length: Tokens of the prompt that pooling leaves out; 0 if it leaves nothing out.
    """

    ids: list[list[int]]
    counts: NDArray[np.int64]
    truncated: int
    prompt_length: int = 0


@frozen(kw_only=True, eq=False)
class Tokenizer:
    """A model's tokenizer with its limits.

    Attributes:
        backend: A ``tokenizers.Tokenizer``.
        max_seq_length: Tokens kept of a text; None where nothing limits them.
        path: The file.
        pad_id: What stands on padding.
        rows: Rows of the model's table of tokens; None where the folder does not say.
        left: Whether padding comes first.
        special_ids: Special tokens.
        adds_special: Whether they are put around a text.
        longest_text: Characters kept of a text before it is tokenised; None keeps all.
        dropped_id: A token that is left out.
    """

    backend: Any
    max_seq_length: int | None
    path: Path
    pad_id: int
    rows: int | None
    left: bool
    special_ids: frozenset[int]
    adds_special: bool = True
    longest_text: int | None = None
    dropped_id: int | None = None
    _prompt_lengths: dict[str, int] = field(factory=dict, init=False)
    _rules: list[LongTexts | None] = field(factory=list, init=False)
    _lock: threading.Lock = field(factory=threading.Lock, init=False)

    @classmethod
    def open(cls, folder: ModelFolder, max_seq_length: int | None = None) -> Tokenizer:
        """Open a folder's ``tokenizer.json``.

        Whatever truncation or padding the file carries is dropped: all-MiniLM-L6-v2's own pads
        every text to 128 tokens.

        Args:
            folder: The model folder.
            max_seq_length: Overrides the folder's limit.

        Raises:
            MissingFileError: There is no ``tokenizer.json``.
            CorruptFileError: It cannot be read.
        """
        path = folder.root / TOKENIZER
        backend = open_backend(path)
        with reading(path, "be used as a tokenizer"):
            return cls._set_up(folder, path, backend, max_seq_length)

    @classmethod
    def _set_up(
        cls, folder: ModelFolder, path: Path, backend: Any, max_seq_length: int | None
    ) -> Tokenizer:
        rules = folder.rules
        padding, truncation = backend.padding or {}, backend.truncation or {}
        limit = folder_limit(folder, max_seq_length)
        if limit is None and rules.own_limit:
            limit = truncation.get("max_length")
        backend.no_padding()
        backend.no_truncation()
        if limit is not None:
            # Below the special tokens the tokenizer would cut nothing, without a word.
            added = backend.num_special_tokens_to_add(False) if rules.special_tokens else 0
            least = max(1, added)
            if limit < least:
                raise UsageError(f"max_seq_length={limit}: at least {least} tokens are needed")
            side = folder.tokenizer_config.get("truncation_side") or truncation.get("direction")
            backend.enable_truncation(max_length=int(limit), direction=side or "right")
        if not folder.pipeline.is_static:
            add_named_tokens(folder.root, backend, folder.tokenizer_config)
            refuse_other_tokens(folder.root, backend, folder.tokenizer_config, folder.config)
        follow_configuration(backend, folder.tokenizer_config, folder.config)
        if folder.do_lower_case:
            _lower_case(backend)
        tokens = backend.get_added_tokens_decoder()
        pad = folder.config.get("pad_token_id")
        pad_id = int(pad if pad is not None else padding.get("pad_id", 0))
        rows = table_rows(folder, backend, pad_id)
        return cls(
            backend=backend,
            max_seq_length=limit,
            path=path,
            pad_id=pad_id,
            rows=rows,
            left=(folder.padding_side or padding.get("direction")) == "left",
            special_ids=frozenset(i for i, token in tokens.items() if token.special),
            adds_special=rules.special_tokens,
            longest_text=_longest_text(backend, limit) if rules.cut_characters else None,
            dropped_id=_unknown_id(backend) if rules.drop_unknown else None,
        )

    def encode(
        self,
        texts: Sequence[str],
        prompt: str = "",
        *,
        drop_prompt: bool = False,
        on_invalid_text: str = "error",
        start: int = 0,
    ) -> Tokens:
        """Tokenise ``prompt + text`` for each text.

        Args:
            texts: The texts.
            prompt: Put in front of each, without a separator.
            drop_prompt: Whether pooling leaves the prompt's tokens out.
            on_invalid_text: ``error``, or ``replace``: lone surrogates become U+FFFD.
            start: The index of the first text among all, for messages.

        Raises:
            UsageError: A text is not Unicode; its index is named.
        """
        if on_invalid_text == "replace":
            prompt = replace_surrogates(prompt)
        prompted = [prompt + text for text in texts] if prompt else list(texts)
        with reading(self.path, "tokenize these texts"):
            try:
                encodings = self._encode(prompted)
            except TypeError:  # what tokenizers says of texts that are not Unicode, and no more
                if on_invalid_text != "replace":
                    refuse_surrogates(texts, start)
                    refuse_surrogates([prompt], what="prompt")
                    raise
                prompted = list(map(replace_surrogates, prompted))
                encodings = self._encode(prompted)
        ids = [encoding.ids for encoding in encodings]
        truncated = self._count_truncated(prompted, encodings, ids)
        del encodings
        if any(len(text) > HUGE_TEXT for text in prompted):
            give_back_memory()
        if self.dropped_id is not None:
            ids = [[i for i in row if i != self.dropped_id] for row in ids]
        return Tokens(
            ids=ids,
            counts=np.fromiter(map(len, ids), dtype=np.int64, count=len(ids)),
            truncated=truncated,
            prompt_length=self.prompt_length(prompt) if prompt and drop_prompt else 0,
        )

    def _encode(self, texts: Sequence[str]) -> list[Any]:
        length = self.longest_text
        cut = [text if length is None else text[:length] for text in texts]
        long = [place for place, text in enumerate(cut) if len(text) > LONG_TEXT]
        rule = self._cutting() if long and self.max_seq_length is not None else None
        if rule is None:
            return self._encode_whole(cut)
        parts = {place: self._encode_first_part(cut[place], rule) for place in long}
        others = self._encode_whole(["" if place in parts else t for place, t in enumerate(cut)])
        return [parts.get(place, encoding) for place, encoding in enumerate(others)]

    def _encode_whole(self, texts: Sequence[str]) -> list[Any]:
        found: list[Any] = self.backend.encode_batch_fast(
            texts, add_special_tokens=self.adds_special
        )
        return found

    def _encode_first_part(self, text: str, rule: LongTexts) -> Any:
        """Encode as much of a text as has more tokens than are kept."""
        if find_surrogate(text) is not None:
            raise TypeError("as tokenizers says, which may not get to see that part of the text")
        encoding = None
        for part in rule.parts(text):
            (encoding,) = self._encode_whole([part])
            if encoding.overflowing:
                break
        return encoding

    def _cutting(self) -> LongTexts | None:
        if not self._rules:
            self._rules.append(LongTexts.of(self.backend))
        return self._rules[0]

    def _count_truncated(
        self, texts: Sequence[str], encodings: Sequence[Any], ids: Sequence[Sequence[int]]
    ) -> int:
        limit, length = self.max_seq_length, self.longest_text
        return sum(
            1
            for text, encoding, row in zip(texts, encodings, ids, strict=True)
            if (length is not None and len(text) > length)
            or (len(row) == limit and encoding.overflowing)
        )

    def unlimited(self) -> Tokenizer:
        """The same tokenizer without a limit, for counting."""
        backend = type(self.backend).from_str(self.backend.to_str())
        backend.no_truncation()
        return evolve(self, backend=backend, max_seq_length=None, longest_text=None)

    def prompt_length(self, prompt: str) -> int:
        """Tokens of a prompt alone, with what stands before it, without what ends a text."""
        with self._lock:
            if prompt not in self._prompt_lengths:
                with reading(self.path, "tokenize a prompt"):
                    ids = self.backend.encode(prompt, add_special_tokens=self.adds_special).ids
                ends = bool(ids) and ids[-1] in self.special_ids
                self._prompt_lengths[prompt] = len(ids) - ends
            return self._prompt_lengths[prompt]

    def batch(self, tokens: Tokens, rows: NDArray[np.int64]) -> TokenBatch:
        """Pad some of the texts to the longest among them."""
        counts = tokens.counts[rows]
        width = max(1, int(counts.max()))
        start = (width - counts if self.left else np.zeros_like(counts))[:, None]
        columns = np.arange(width)
        real = (columns >= start) & (columns < start + counts[:, None])
        input_ids = np.full(real.shape, self.pad_id, dtype=np.int64)
        input_ids[real] = np.concatenate([tokens.ids[row] for row in rows])
        if self.rows is not None and input_ids.size and input_ids.max() >= self.rows:
            raise outside_table(self.path, self.backend, int(input_ids.max()), self.rows)
        mask = real.astype(np.int64)
        if not tokens.prompt_length:
            return TokenBatch(input_ids=input_ids, attention_mask=mask, pooling_mask=mask)
        counted = mask * (columns >= start + tokens.prompt_length)
        return TokenBatch(input_ids=input_ids, attention_mask=mask, pooling_mask=counted)


def _longest_text(backend: Any, limit: int | None) -> int | None:
    """Characters that model2vec keeps: the limit times the vocabulary's median token length."""
    if limit is None:
        return None
    return limit * int(np.median([len(token) for token in backend.get_vocab()]))


def _unknown_id(backend: Any) -> int | None:
    """The number of the unknown token; None where the tokenizer has none."""
    model = backend.model
    if hasattr(model, "unk_token"):
        return None if model.unk_token is None else backend.token_to_id(model.unk_token)
    # Unigram keeps a number, and its Python class does not show it.
    found: int | None = json.loads(backend.to_str())["model"].get("unk_id")
    return found


def _lower_case(backend: Any) -> None:
    """Lower-case before all else, as sentence-transformers 6 does, unless a step does so."""
    from tokenizers import normalizers

    present = backend.normalizer
    steps: list[Any] = [present]
    if isinstance(present, normalizers.Sequence):
        steps = list(cast("Iterable[Any]", present))  # iterable, which its stubs do not say
    if any(isinstance(step, normalizers.Lowercase) for step in steps):
        return
    kept = [step for step in steps if step is not None]
    backend.normalizer = normalizers.Sequence([normalizers.Lowercase(), *kept])
