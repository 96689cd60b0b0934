"""Every suite, for the backend that ``--hotbed-backend`` names.

pytest --pyargs hotbed.testing.suite --hotbed-backend acme
"""

from __future__ import annotations

from hotbed.testing.convert import ConvertSuite
from hotbed.testing.embed import EmbedSuite
from hotbed.testing.manifest import ManifestSuite
from hotbed.testing.quantize import QuantizeSuite

__all__ = ["TestConvert", "TestEmbed", "TestManifest", "TestQuantize"]


class TestManifest(ManifestSuite):
    """What the manifest says, and how light the module is."""


class TestEmbed(EmbedSuite):
    """Every format, device and arithmetic that the manifest declares."""


class TestConvert(ConvertSuite):
    """Every profile that it writes."""


class TestQuantize(QuantizeSuite):
    """Every recipe that it has."""
