"""Check the arguments of ``hotbed.load`` before anything is fetched; all mistakes come together."""

from __future__ import annotations

import operator
import os
from collections.abc import Callable, Mapping
from typing import Any

from hotbed.errors import UsageError
from hotbed.inference.finite import ON_NONFINITE
from hotbed.models.schema import shown

__all__ = ["check_load_arguments"]


def _is_count(value: Any) -> bool:
    if isinstance(value, bool):
        return False
    try:
        return 1 <= operator.index(value) < 2**31
    except TypeError:
        return False


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and not any("\ud800" <= sign <= "\udfff" for sign in value)


def _is_name(value: Any) -> bool:
    return _is_text(value) and bool(value.strip()) and "\0" not in value


def _is_path(value: Any) -> bool:
    return isinstance(value, os.PathLike) or _is_name(value)


def _are_prompts(value: Any) -> bool:
    return isinstance(value, Mapping) and all(
        _is_text(name) and (text is None or _is_text(text)) for name, text in value.items()
    )


_COUNT = (_is_count, "a whole number of at least 1, or None")
_NAME = (_is_name, "text, or None")
_SWITCH = (lambda value: isinstance(value, bool), "True or False")

_ALLOWED: dict[str, tuple[Callable[[Any], bool], str]] = {
    "model": (_is_path, "a folder, a name, or a source such as hf://org/name"),
    "backend": _NAME,
    "dtype": _NAME,
    "revision": _NAME,
    "token": (lambda value: isinstance(value, str | bool), "text, True, False or None"),
    "cache_folder": (_is_path, "a folder, or None"),
    "local_files_only": _SWITCH,
    "paranoid": (lambda value: isinstance(value, bool), "True, False or None"),
    "threads": _COUNT,
    "batch_invariant": _SWITCH,
    "on_nonfinite": (lambda value: value in ON_NONFINITE, " or ".join(ON_NONFINITE)),
    "max_seq_length": _COUNT,
    "truncate_dim": _COUNT,
    "prompts": (_are_prompts, "a dict of names and texts, or None"),
    "default_prompt_name": (_is_text, "the name of a prompt, or None"),
}
_NEVER_NONE = ("model", "local_files_only", "batch_invariant", "on_nonfinite")


def check_load_arguments(arguments: Mapping[str, Any]) -> None:
    """Refuse arguments that cannot be used.

    Args:
        arguments: By name. Those that this table does not know are not looked at.

    Raises:
        UsageError: Some cannot be used; each is named with its value and what is allowed.
    """
    mistakes = []
    for name, value in arguments.items():
        fits, allowed = _ALLOWED.get(name, (None, ""))
        if fits is None or (value is None and name not in _NEVER_NONE) or fits(value):
            continue
        mistakes.append(f"{name}={shown(value)}: expected {allowed}")
    if mistakes:
        raise UsageError("; ".join(mistakes))
