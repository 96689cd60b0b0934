"""The default model, for tests that need a real one: nox's session ``model`` fetches it."""

from __future__ import annotations

import os

import pytest

import hotbed
from hotbed.errors import SourceError

__all__ = ["require_default_model"]


def require_default_model() -> None:
    """Skip the test, with the reason, where HOTBED_HOME does not hold the model.

    With ``model`` in ``HOTBED_REQUIRE`` that is an error instead.
    """
    hotbed.refresh()
    try:
        hotbed.load("all-MiniLM-L6-v2", local_files_only=True).close()
    except SourceError as error:
        if "model" in os.environ.get("HOTBED_REQUIRE", "").split(","):
            raise
        pytest.skip(f"the default model was not fetched: {error}")
