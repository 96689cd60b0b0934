r"""Texts that are not Unicode: lone surrogates, which no tokenizer takes and UTF-8 has no form for.

They come from JSON escapes (``"\ud800"``), from names and arguments that are not UTF-8, and from
text cut in the middle of a UTF-16 pair.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from hotbed.errors import UsageError

__all__ = [
    "ON_INVALID_TEXT",
    "describe_surrogate",
    "find_surrogate",
    "refuse_surrogates",
    "replace_surrogates",
]

ON_INVALID_TEXT = ("error", "replace")
"""What can be done with such a text: refuse it, or put U+FFFD in place of each lone surrogate."""

_BYTES = re.compile("[\udc80-\udcff]+")
_LONE = re.compile("[\ud800-\udfff]")


def find_surrogate(text: str) -> int | None:
    """Where the first lone surrogate stands; None if there is none."""
    if text.isascii():
        return None
    try:
        text.encode()
    except UnicodeEncodeError as error:
        return error.start
    return None


def describe_surrogate(text: str, at: int) -> str:
    """What is wrong with a text, in words."""
    code = ord(text[at])
    if 0xDC80 <= code <= 0xDCFF:
        return f"it is not UTF-8: the byte 0x{code - 0xDC00:02x} at character {at}"
    return f"it is not Unicode text: a lone surrogate, U+{code:04X}, at character {at}"


def replace_surrogates(text: str) -> str:
    """Put U+FFFD where a lone surrogate is, as decoding with ``errors="replace"`` does.

    Bytes that were read as surrogates (PEP 383) give as many as decoding them would have given.
    """
    text = _BYTES.sub(
        lambda run: run[0].encode("utf-8", "surrogateescape").decode("utf-8", "replace"), text
    )
    return _LONE.sub("\ufffd", text)


def refuse_surrogates(texts: Sequence[str], start: int = 0, what: str = "") -> None:
    """Refuse the first text that is not Unicode.

    Args:
        texts: Some texts.
        start: The index of the first among all.
        what: What to call it, where it is not one of the inputs.

    Raises:
        UsageError: There is one; its index is named.
    """
    for index, text in enumerate(texts, start):
        if (at := find_surrogate(text)) is not None:
            raise UsageError(
                f"{what or f'inputs[{index}]'}: {describe_surrogate(text, at)}; "
                f'on_invalid_text="replace" puts U+FFFD there'
            )
