"""What a folder's own numbers say about texts: positions, and rows of the table of tokens.

A text longer than the positions, or a token outside the table, makes a runtime fail in the middle
of a job, and the plugin would get the blame. Both are known from the files when a model is loaded.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from hotbed.errors import CorruptFileError, ModelError, UsageError
from hotbed.models.folder import ModelFolder

__all__ = ["folder_limit", "outside_table", "table_rows"]

_log = logging.getLogger("hotbed")


def folder_limit(folder: ModelFolder, asked: int | None) -> int | None:
    """Tokens kept of a text: what was asked for, or what the folder says.

    Args:
        folder: The model.
        asked: ``max_seq_length`` of the call.

    Raises:
        UsageError: More was asked for than the model has positions.
    """
    most = folder.max_positions
    if asked is not None:
        if most is not None and asked > most:
            raise UsageError(
                f"max_seq_length={asked}: {folder.name} has positions for {most} tokens "
                f"(config.json); ask for at most {most}"
            )
        return asked
    limit = folder.max_seq_length
    if limit is None or most is None or limit <= most:
        return limit
    _log.warning(
        "%s: its files allow %d tokens a text, and the model has positions for %d; longer texts "
        "are cut there",
        folder.name,
        limit,
        most,
    )
    return most


def table_rows(folder: ModelFolder, backend: Any, pad_id: int) -> int | None:
    """Rows of the table of tokens, where ``config.json`` says; checked against the tokenizer.

    Args:
        folder: The model.
        backend: A ``tokenizers.Tokenizer``.
        pad_id: What stands on padding.

    Raises:
        CorruptFileError: The vocabulary, or the padding token, does not fit into the table.
    """
    rows = folder.table_rows
    if rows is None:
        return None
    words = backend.get_vocab_size(with_added_tokens=False)
    if words > rows:
        raise CorruptFileError(
            f"{folder.root}: tokenizer.json has {words:,} tokens, and the model's table has "
            f"{rows:,} rows (vocab_size of config.json); the two files are of different models"
        )
    if pad_id >= rows:
        raise CorruptFileError(
            f"{folder.root}: pad_token_id is {pad_id}, and the model's table has {rows:,} rows "
            f"(vocab_size of config.json)"
        )
    return rows


def outside_table(path: Path, backend: Any, token: int, rows: int) -> ModelError:
    """The error for a text that holds a token outside the table."""
    return CorruptFileError(
        f"{path} gives the number {token:,} to {str(backend.id_to_token(token))[:60]!r}, and the "
        f"model's table has {rows:,} rows; the tokenizer is of another model, or was extended "
        f"after the model was trained"
    )
