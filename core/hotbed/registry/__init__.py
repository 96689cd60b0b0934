"""The registry: versions that nothing can lose, and names for them that roll back."""

from __future__ import annotations

from hotbed.registry.finding import Registered
from hotbed.registry.registry import Registry

__all__ = ["Registered", "Registry"]
