"""A wrapper around every embed, with an argument that the hook does not have."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from hotbed.backends import hookimpl


@hookimpl(wrapper=True)
def hotbed_embed(texts: object) -> Generator[None, Any, Any]:
    """Ask for the texts, which a backend never sees."""
    return (yield)
