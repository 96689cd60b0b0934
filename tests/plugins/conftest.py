"""Every test here runs in a home of its own."""

from __future__ import annotations

from tests.isolation import isolated

__all__ = ["isolated"]
