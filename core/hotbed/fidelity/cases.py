"""The batches on which two models are compared: texts, and the ways in which padding goes wrong."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from attrs import frozen

from hotbed.backends.values import TokenBatch
from hotbed.inference.batching import pack
from hotbed.inference.tokenisation import Tokenizer

__all__ = ["LONGEST", "Case", "cases_for"]

LONGEST = 1_024
"""Tokens at which the longest case is capped: a reference in float64 is slow beyond."""

_BUDGET = 1_024
_SHORT = 64


@frozen(kw_only=True, eq=False)
class Case:
    """Some texts in one batch.

    Attributes:
        name: What about it is special.
        batch: The batch.
    """

    name: str
    batch: TokenBatch


def cases_for(tokenizer: Tokenizer, texts: Sequence[str], *, drop_prompt: bool) -> list[Case]:
    """The texts as batches, then one token, all but one token padding, and the longest text.

    Args:
        tokenizer: The model's.
        texts: The texts.
        drop_prompt: Whether the model leaves its prompt out of pooling; one more case tests that.
    """
    tokens = tokenizer.encode(list(texts))
    found = [
        Case(name="texts", batch=tokenizer.batch(tokens, np.sort(rows)))
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
    return found


def _longest(tokenizer: Tokenizer, texts: Sequence[str]) -> list[int]:
    """One text as long as the model reads, capped."""
    limit = min(tokenizer.max_seq_length or LONGEST, LONGEST)
    joined = " ".join(text for text in texts if text) or "text"
    words = max(1, len(joined.split()))
    ids: list[int] = tokenizer.encode([" ".join([joined] * (limit // words + 1))]).ids[0]
    return [*ids[: limit - 1], ids[-1]] if len(ids) > limit else ids


def _row(ids: Sequence[int], width: int, pad: int, left: bool) -> TokenBatch:
    input_ids = np.full((1, width), pad, np.int64)
    mask = np.zeros((1, width), np.int64)
    place: slice = slice(width - len(ids), width) if left else slice(0, len(ids))
    input_ids[0, place] = ids
    mask[0, place] = 1
    return TokenBatch(input_ids=input_ids, attention_mask=mask, pooling_mask=mask)
