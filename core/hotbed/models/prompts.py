"""Which prompt goes before a text, by sentence-transformers' rules."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from attrs import frozen

from hotbed.errors import UsageError

__all__ = ["DOCUMENT_NAMES", "QUERY_NAMES", "Prompts"]

_log = logging.getLogger("hotbed")

QUERY_NAMES = ("query",)
DOCUMENT_NAMES = ("document", "passage", "corpus")


@frozen(kw_only=True)
class Prompts:
    """A model's prompts and the name of the one used when nothing is said.

    ``texts`` always holds ``query`` and ``document``, as in sentence-transformers, where they are
    ``""`` unless set. That has two effects: ``encode_document`` does not reach a folder's
    ``passage`` prompt, and neither special method reaches ``default_prompt_name``.
    """

    texts: dict[str, str]
    default_name: str | None

    @classmethod
    def merge(
        cls,
        saved: Mapping[str, Any],
        *,
        given: Mapping[str, str] | None = None,
        default_name: str | None = None,
    ) -> Prompts:
        """Join the folder's prompts with the user's, who win, even with ``""``.

        Raises:
            UsageError: The default name is not among the prompts.
        """
        texts: dict[str, str | None] = {"query": None, "document": None, **(given or {})}
        for name, text in dict(saved.get("prompts") or {}).items():
            if texts.get(name) is None:
                texts[name] = text
        default = default_name if default_name is not None else saved.get("default_prompt_name")
        if default is not None and default not in texts:
            said = "" if default_name is not None else " of config_sentence_transformers.json"
            raise UsageError(
                f"default_prompt_name={default!r}{said} is not among the prompts: "
                f"{', '.join(texts)}"
            )
        return cls(texts={k: v or "" for k, v in texts.items()}, default_name=default)

    def resolve(self, prompt: str | None, prompt_name: str | None) -> str:
        """The text to put in front: ``prompt``, else the named one, else the default; else "".

        Where both are given the prompt wins, and a log says so, as in sentence-transformers.

        Raises:
            UsageError: The name is not among the prompts, also where it would not be used.
        """
        for name, value in (("prompt", prompt), ("prompt_name", prompt_name)):
            if value is not None and not isinstance(value, str):
                raise UsageError(f"{name}={value!r:.60} is {type(value).__name__}, not a string")
        if prompt_name is not None and prompt_name not in self.texts:
            raise UsageError(
                f"prompt_name={prompt_name!r} is not among the prompts: {', '.join(self.texts)}"
            )
        if prompt is not None:
            if prompt_name is not None:
                _log.warning("prompt and prompt_name=%r: the prompt is used", prompt_name)
            return prompt
        chosen = prompt_name if prompt_name is not None else self.default_name
        return "" if chosen is None else self.texts[chosen]

    def first_of(self, names: tuple[str, ...]) -> str | None:
        """The first of the names that the prompts hold, even with an empty text."""
        return next((name for name in names if name in self.texts), None)
