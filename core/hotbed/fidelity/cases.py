"""The batches on which two models are compared: texts, and the ways in which padding goes wrong."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from attrs import frozen
from numpy.typing import NDArray

from hotbed.backends.values import TokenBatch
from hotbed.fidelity.kinds import EDGE, ORDINARY, REPEATING
from hotbed.fidelity.repetition import REPETITION, repeated
from hotbed.inference.batching import pack
from hotbed.inference.tokenisation import Tokenizer

__all__ = ["LONGEST", "Case", "cases_for"]

LONGEST = 1_024
"""Tokens at which the longest case is capped: a reference in float64 is slow beyond."""

_BUDGET = 1_024
_SHORT = 64
_REPEATED = 512
"""Tokens up to which a thing is repeated: what breaks breaks with length."""

_REPEATED_BRIEFLY = 32
"""Tokens where every text has to be right, and a reference in float64 takes its time."""


@frozen(kw_only=True, eq=False)
class Case:
    """Some texts in one batch.

    Attributes:
        name: What about it is special.
        batch: The batch.
        kind: ``ordinary``, ``edge`` or ``repetition``.
    """

    name: str
    batch: TokenBatch
    kind: str = EDGE


def cases_for(
    tokenizer: Tokenizer, texts: Sequence[str], *, drop_prompt: bool, briefly: bool = True
) -> list[Case]:
    """The texts as batches, then edge cases, then texts that repeat themselves.

    Edge cases are one token, all but one token padding, and the longest text.

    Args:
        tokenizer: The model's.
        texts: The texts; one that comes twice counts once.
        drop_prompt: Whether the model leaves its prompt out of pooling; one more case tests that.
        briefly: Whether a few dozen tokens of a repeating text are enough, all in one batch.
    """
    texts = list(dict.fromkeys(texts))
    tokens = tokenizer.encode(list(texts))
    found = [
        Case(name="texts", batch=tokenizer.batch(tokens, np.sort(rows)), kind=ORDINARY)
        for rows in pack(tokens.counts, _BUDGET)
    ]
    pad = tokenizer.pad_id
    # A tokenizer that leaves unknown tokens out may know nothing of the texts.
    first = next((ids[0] for ids in tokens.ids if ids), pad)
    found.append(Case(name="one token", batch=_row([first], 1, pad, tokenizer.left)))
    longest = _longest(tokenizer, texts) or [first]
    short = min(_SHORT, len(longest))
    found.append(
        Case(name="all but one token padding", batch=_row([first], short, pad, tokenizer.left))
    )
    limit = tokenizer.max_seq_length
    capped = len(longest) == LONGEST and (limit is None or limit > LONGEST)
    name = f"{len(longest)} tokens" + ", where a check stops" * capped
    found.append(Case(name=name, batch=_row(longest, len(longest), pad, tokenizer.left)))
    if drop_prompt:
        prompted = tokenizer.encode(list(texts[:8]), "query: ", drop_prompt=True)
        rows = np.arange(len(prompted.ids))
        found.append(Case(name="prompt left out", batch=tokenizer.batch(prompted, rows)))
    return [*found, *_repeating(tokenizer, briefly=briefly)]


def _repeating(tokenizer: Tokenizer, *, briefly: bool) -> list[Case]:
    """Each thing repeated to as many tokens as the model reads, capped."""
    width = min(tokenizer.max_seq_length or _REPEATED, _REPEATED_BRIEFLY if briefly else _REPEATED)
    ids = {name: _cut(tokenizer, repeated(part, width), width) for name, part in REPETITION.items()}
    rows = {name: row for name, row in ids.items() if row}
    if not rows:
        return []
    if briefly:
        batch = _rows(list(rows.values()), tokenizer.pad_id, tokenizer.left)
        return [Case(name="repetition", batch=batch, kind=REPEATING)]
    return [
        Case(name=name, batch=_row(row, len(row), tokenizer.pad_id, tokenizer.left), kind=REPEATING)
        for name, row in rows.items()
    ]


def _cut(tokenizer: Tokenizer, text: str, limit: int) -> list[int]:
    """The tokens of a text; beyond the limit the last one, which is special, stays."""
    ids: list[int] = tokenizer.encode([text]).ids[0]
    return [*ids[: limit - 1], ids[-1]] if len(ids) > limit else ids


def _longest(tokenizer: Tokenizer, texts: Sequence[str]) -> list[int]:
    """One text as long as the model reads, capped."""
    limit = min(tokenizer.max_seq_length or LONGEST, LONGEST)
    joined = " ".join(text for text in texts if text) or "text"
    words = max(1, len(joined.split()))
    return _cut(tokenizer, " ".join([joined] * (limit // words + 1)), limit)


def _row(ids: Sequence[int], width: int, pad: int, left: bool) -> TokenBatch:
    return _rows([ids], pad, left, width)


def _rows(rows: Sequence[Sequence[int]], pad: int, left: bool, width: int = 0) -> TokenBatch:
    width = max(width, *map(len, rows), 1)
    input_ids: NDArray[np.int64] = np.full((len(rows), width), pad, np.int64)
    mask: NDArray[np.int64] = np.zeros((len(rows), width), np.int64)
    for number, ids in enumerate(rows):
        place = slice(width - len(ids), width) if left else slice(0, len(ids))
        input_ids[number, place] = ids
        mask[number, place] = 1
    return TokenBatch(input_ids=input_ids, attention_mask=mask, pooling_mask=mask)
