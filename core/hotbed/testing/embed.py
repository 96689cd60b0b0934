"""The suite that a backend's embedding must pass; subclass it and name the backend.

>>> class TestAcme(EmbedSuite):
...     backend = "acme"

The models are small, real and built on the spot; nothing touches the network.
"""

from __future__ import annotations

from hotbed.testing.batches import BatchTests
from hotbed.testing.damage import DamageTests
from hotbed.testing.life import LifeTests
from hotbed.testing.vectors import VectorTests

__all__ = ["EmbedSuite"]


class EmbedSuite(VectorTests, BatchTests, LifeTests, DamageTests):
    """What every embedding backend promises, for each format, device and dtype it declares."""
