"""The one way in which a test of the kit is skipped: ``raise Gap("why")``."""

from __future__ import annotations

from typing import Any

import pytest

__all__ = ["Gap"]

_Skipped: Any = pytest.skip.Exception


class Gap(_Skipped):  # type: ignore[misc]  # pytest gives its class only as an attribute
    """Something that cannot be tested here: a device that is absent, a model nobody can make.

    With ``--hotbed-require`` it is a failure.
    """
