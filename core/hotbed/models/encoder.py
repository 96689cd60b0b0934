"""What the module that embeds tokens says besides its architecture, whichever module that is."""

from __future__ import annotations

from typing import Any

from attrs import field, frozen

__all__ = ["EncoderSettings", "TokenRules"]


@frozen(kw_only=True)
class TokenRules:
    """How texts become the tokens that a model was made for.

    Attributes:
        special_tokens: Whether the tokenizer adds what it adds around a text.
        own_limit: Whether the limit in ``tokenizer.json`` holds where nothing else sets one.
        drop_unknown: Whether unknown tokens are left out, after the limit was applied.
        cut_characters: Whether a text is cut before it is tokenised, to the limit times the median
            length of the vocabulary's tokens.
    """

    special_tokens: bool = True
    own_limit: bool = False
    drop_unknown: bool = False
    cut_characters: bool = False


@frozen(kw_only=True)
class EncoderSettings:
    """What the folder of a transformer, or of a static embedding, says.

    Attributes:
        max_seq_length: Tokens kept of a text; None where the folder sets no limit.
        do_lower_case: Whether texts are lower-cased before the tokenizer's own normaliser.
        tokenizer: What the folder tells its tokenizer besides ``tokenizer.json``.
        rules: How texts become tokens.
    """

    max_seq_length: int | None
    do_lower_case: bool = False
    tokenizer: dict[str, Any] = field(factory=dict)
    rules: TokenRules = field(factory=TokenRules)
