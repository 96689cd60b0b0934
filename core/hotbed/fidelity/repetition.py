"""Texts that repeat themselves: long runs of one thing, as no corpus holds and every user sends.

Attention that sees one token everywhere gives activations that no ordinary text gives, and forms
whose ranges were learned from ordinary texts cut them off: mpnet's static int8 gives such a text
cosine 0.47 to its float32 vector, and ordinary texts 0.993 (docs/quantisation.md).
"""

from __future__ import annotations

__all__ = ["CALIBRATION", "REPETITION", "repeated"]

REPETITION = {
    "one word again and again": "word ",
    "two characters again and again": "x y ",
    "one digit again and again": "7 ",
    "dots again and again": ". ",
    "emoji again and again": "🙂 🚀 ",
    "one sentence again and again": "The cat sat on the mat. ",
    "white space": " \n\t",
}
"""What is special → what is repeated. On these a result is checked."""

CALIBRATION = tuple(
    part * 150 for part in ("stone ", "of ", "q z ", ", ", "3 ", "😀 ", "... ", "09 ", "- ")
)
"""Others, from which ranges are learned: what is checked must not be what was learned."""


def repeated(part: str, tokens: int) -> str:
    """So much of it that a tokenizer makes at least as many tokens, where it makes any."""
    return part * tokens
