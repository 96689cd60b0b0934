"""Small real models, and the suite that a backend's embedding must pass (``testing.embed``)."""

from __future__ import annotations

from hotbed.testing.tiny import TEXTS, build_tiny

__all__ = ["TEXTS", "build_tiny"]
