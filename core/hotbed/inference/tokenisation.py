"""Texts to token numbers, with ``tokenizers``; set once at load, never per call.

Setting truncation or padding on a shared tokenizer at each call is what makes concurrent callers
fail with "Already borrowed". So the tokenizer only truncates, once set, and padding is done here.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
from attrs import evolve, field, frozen
from numpy.typing import NDArray

from hotbed.backends.values import TokenBatch
from hotbed.errors import CorruptFileError, MissingFileError, UsageError
from hotbed.inference.bert_normaliser import follow_configuration
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
    """A model's tokenizer with its limits."""

    backend: Any
    max_seq_length: int | None
    pad_id: int
    left: bool
    special_ids: frozenset[int]
    _prompt_lengths: dict[str, int] = field(factory=dict, init=False)
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
        backend = _read(path)
        limit = max_seq_length if max_seq_length is not None else folder.max_seq_length
        padding, truncation = backend.padding or {}, backend.truncation or {}
        backend.no_padding()
        backend.no_truncation()
        if limit is not None:
            # Below the special tokens the tokenizer would cut nothing, without a word.
            least = max(1, backend.num_special_tokens_to_add(False))
            if limit < least:
                raise UsageError(f"max_seq_length={limit}: at least {least} tokens are needed")
            side = folder.tokenizer_config.get("truncation_side") or truncation.get("direction")
            backend.enable_truncation(max_length=int(limit), direction=side or "right")
        follow_configuration(backend, folder.tokenizer_config, folder.family)
        if folder.do_lower_case:
            _lower_case(backend)
        added = backend.get_added_tokens_decoder()
        pad = folder.config.get("pad_token_id")
        return cls(
            backend=backend,
            max_seq_length=limit,
            pad_id=int(pad if pad is not None else padding.get("pad_id", 0)),
            left=(folder.padding_side or padding.get("direction")) == "left",
            special_ids=frozenset(i for i, token in added.items() if token.special),
        )

    def encode(
        self, texts: Sequence[str], prompt: str = "", *, drop_prompt: bool = False
    ) -> Tokens:
        """Tokenise ``prompt + text`` for each text.

        Args:
            texts: The texts.
            prompt: Put in front of each, without a separator.
            drop_prompt: Whether pooling leaves the prompt's tokens out.
        """
        prompted = [prompt + text for text in texts] if prompt else list(texts)
        encodings = self.backend.encode_batch_fast(prompted)
        ids = [encoding.ids for encoding in encodings]
        limit = self.max_seq_length
        full = [e for e, row in zip(encodings, ids, strict=True) if len(row) == limit]
        truncated = sum(1 for encoding in full if encoding.overflowing)
        return Tokens(
            ids=ids,
            counts=np.fromiter(map(len, ids), dtype=np.int64, count=len(ids)),
            truncated=truncated,
            prompt_length=self.prompt_length(prompt) if prompt and drop_prompt else 0,
        )

    def unlimited(self) -> Tokenizer:
        """The same tokenizer without a limit, for counting."""
        backend = type(self.backend).from_str(self.backend.to_str())
        backend.no_truncation()
        return evolve(self, backend=backend, max_seq_length=None)

    def prompt_length(self, prompt: str) -> int:
        """Tokens of a prompt alone, with what stands before it, without what ends a text."""
        with self._lock:
            if prompt not in self._prompt_lengths:
                ids = self.backend.encode(prompt).ids
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
        mask = real.astype(np.int64)
        if not tokens.prompt_length:
            return TokenBatch(input_ids=input_ids, attention_mask=mask, pooling_mask=mask)
        counted = mask * (columns >= start + tokens.prompt_length)
        return TokenBatch(input_ids=input_ids, attention_mask=mask, pooling_mask=counted)


def _read(path: Path) -> Any:
    from tokenizers import Tokenizer as Backend

    if not path.exists():
        raise MissingFileError(
            f"{TOKENIZER} is missing from {path.parent}; hotbed reads this form only. "
            f"`AutoTokenizer.from_pretrained(folder).save_pretrained(folder)` writes it"
        )
    try:
        return Backend.from_file(str(path))
    except Exception as error:
        # tokenizers raises bare Exception for whatever it cannot parse.
        raise CorruptFileError(
            f"{path} ({path.stat().st_size:,} bytes) cannot be read as a tokenizer: {error}; "
            f"download or save it again"
        ) from error


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
