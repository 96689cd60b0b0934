"""The registry: versions that nothing can lose, and names for them that roll back."""

from __future__ import annotations

from hotbed.registry.registered import Registered
from hotbed.registry.registry import Registry

__all__ = ["Registered", "Registry"]
