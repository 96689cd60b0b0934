"""Try out a graph that somebody else exported, once, when it is loaded.

Its table of tokens, its positions and its axes are known to nobody but itself. Where they do not
fit the folder's tokenizer, the runtime fails in the middle of a job, in words about a node. Two
small batches and one long text show that at load.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import numpy as np
from attrs import evolve

from hotbed.backends.values import TokenBatch
from hotbed.errors import BackendError, UnsupportedModelError, UsageError
from hotbed.inference.runner import Runner
from hotbed.inference.tokenisation import Tokenizer

__all__ = ["try_out"]

_log = logging.getLogger("hotbed")

_LONGEST = 512
"""Tokens of the long text at most: attention to more costs more than it tells."""


def try_out(runner: Runner, file: str, asked: int | None = None) -> Runner:
    """Run what the tokenizer can give; lower the folder's limit where positions end before it.

    Args:
        runner: The model, open.
        file: The graph's file, for messages.
        asked: ``max_seq_length`` of the call.

    Raises:
        UnsupportedModelError: The graph takes fewer rows, or fewer tokens' numbers, than it gets.
        UsageError: It reads fewer tokens of a text than were asked for.
    """
    top = max(0, runner.tokenizer.backend.get_vocab_size(with_added_tokens=False) - 1)
    limit = min(runner.tokenizer.max_seq_length or _LONGEST, _LONGEST)
    short = min(3, limit)
    try:
        _run(runner, 2, short, top)
    except BackendError as error:
        raise _diagnosis(runner, file, short, top, error) from error
    if limit == short or _runs(runner, 1, limit, top):
        return runner
    most = _greatest(lambda tokens: _runs(runner, 1, tokens, top), short, limit)
    said = f"{runner.folder.name}: {file} reads texts of up to {most} tokens"
    if asked is not None:
        raise UsageError(f"max_seq_length={asked}: {said}; ask for at most {most}")
    _log.warning("%s, and the folder allows %s; longer texts are cut there", said, limit)
    return evolve(runner, tokenizer=Tokenizer.open(runner.folder, most))


def _diagnosis(
    runner: Runner, file: str, tokens: int, top: int, error: BackendError
) -> UnsupportedModelError | BackendError:
    name = f"{runner.folder.name}: {file}"
    if _runs(runner, 1, tokens, top):
        return UnsupportedModelError(
            f"{name} takes one text at a time, and not two; export it again with a batch axis that "
            f"has a name and no number"
        )
    if _runs(runner, 1, tokens, 0):
        rows = 1 + _greatest(lambda token: _runs(runner, 1, tokens, token), 0, top)
        return UnsupportedModelError(
            f"{name} has a table of {rows:,} tokens, and tokenizer.json gives numbers up to "
            f"{top:,}; the two are of different models"
        )
    fixed = [count for count in (8, 16, 32, 64, 128, 256, 384, 512) if _runs(runner, 1, count, 0)]
    if fixed:
        return UnsupportedModelError(
            f"{name} runs texts of {fixed[0]} tokens, and not of {tokens}; export it again with an "
            f"axis of tokens that has a name and no number"
        )
    return error


def _greatest(works: Callable[[int], bool], good: int, bad: int) -> int:
    """The greatest number that works, between one that does and one that does not."""
    while bad - good > 1:
        middle = (good + bad) // 2
        good, bad = (middle, bad) if works(middle) else (good, middle)
    return good


def _runs(runner: Runner, rows: int, tokens: int, token: int) -> bool:
    try:
        _run(runner, rows, tokens, token)
    except BackendError:
        return False
    return True


def _run(runner: Runner, rows: int, tokens: int, token: int) -> dict[str, Any]:
    ids = np.full((rows, tokens), token, dtype=np.int64)
    mask = np.ones_like(ids)
    batch = TokenBatch(input_ids=ids, attention_mask=mask, pooling_mask=mask)
    return runner.engine.embed(runner.loaded, batch, runner.loaded.outputs[:1])
