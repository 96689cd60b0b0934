"""Every test here runs in a home of its own."""

from __future__ import annotations

from hypothesis import settings

from tests.isolation import isolated

__all__ = ["isolated"]

# A busy machine is slow, and slow is not wrong.
settings.register_profile("hotbed", deadline=None)
settings.load_profile("hotbed")
