"""Text of strangers made fit to be shown: nothing in it moves a cursor, and nothing hides.

What is escaped: control characters (C0 but for tab and newline, DEL, C1), the marks that turn the
direction of text around, what is not seen at all, and lone surrogates, which stand for bytes of a
file name that are not UTF-8. Escaping twice gives the same as escaping once.
"""

from __future__ import annotations

import re

__all__ = ["LONGEST", "escape", "escape_json", "escape_line", "shorten"]

LONGEST = 4_000
"""Characters of one value that are shown."""

_HIDDEN = (
    "\x00-\x08\x0b-\x1f\x7f-\x9f"  # C0, DEL, C1
    "\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\ud800-\udfff\U000e0000-\U000e007f"
)
_CONTROLS = re.compile(f"[{_HIDDEN}]")
_CONTROLS_OF_A_LINE = re.compile(f"[{_HIDDEN}\n]")


def escape(text: str) -> str:
    r"""Show what would not be seen: ESC as ``\x1b``, a byte that is no UTF-8 as ``\xff``.

    Tabs and newlines stay, because messages have several lines.
    """
    return _CONTROLS.sub(_shown, text)


def escape_line(text: str) -> str:
    """As ``escape``, for a value that may have no line of its own."""
    return _CONTROLS_OF_A_LINE.sub(_shown, text)


def escape_json(document: str) -> str:
    """Escape inside the strings of a JSON document, which stays JSON of the same value."""
    return _CONTROLS.sub(_in_json, document)


def shorten(text: str, longest: int = LONGEST) -> str:
    """Cut a value that is longer, and say how long it was."""
    if len(text) <= longest:
        return text
    return f"{text[:longest]}… ({len(text):,} characters)"


def _shown(match: re.Match[str]) -> str:
    code = ord(match[0])
    if code == 0x0A:
        return "\\n"
    if 0xDC80 <= code <= 0xDCFF:  # a byte, as Python reads names that are not UTF-8 (PEP 383)
        return f"\\x{code - 0xDC00:02x}"
    return f"\\x{code:02x}" if code < 0x100 else _numbered(code)


def _numbered(code: int) -> str:
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _in_json(match: re.Match[str]) -> str:
    code = ord(match[0])
    if code < 0x10000:
        return f"\\u{code:04x}"
    high, low = divmod(code - 0x10000, 0x400)
    return f"\\u{0xD800 + high:04x}\\u{0xDC00 + low:04x}"
