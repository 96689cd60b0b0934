"""The compliance kit: suites that a backend must pass, on small real models built on the spot.

    pytest --pyargs hotbed.testing.suite --hotbed-backend acme

or, in a test module of one's own:

>>> from hotbed.testing import EmbedSuite
>>> class TestAcme(EmbedSuite):
...     backend = "acme"
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from hotbed.testing.tiny import TEXTS, build_tiny

if TYPE_CHECKING:
    from hotbed.testing.convert import ConvertSuite
    from hotbed.testing.embed import EmbedSuite
    from hotbed.testing.manifest import ManifestSuite
    from hotbed.testing.quantize import QuantizeSuite

__all__ = [
    "TEXTS",
    "ConvertSuite",
    "EmbedSuite",
    "ManifestSuite",
    "QuantizeSuite",
    "build_tiny",
]

# The suites import pytest, which whoever only builds tiny models need not have.
_WHERE = {
    "ConvertSuite": "hotbed.testing.convert",
    "EmbedSuite": "hotbed.testing.embed",
    "ManifestSuite": "hotbed.testing.manifest",
    "QuantizeSuite": "hotbed.testing.quantize",
}


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module 'hotbed.testing' has no attribute {name!r}")
    return getattr(import_module(_WHERE[name]), name)
