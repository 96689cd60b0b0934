"""hotbed: embedding models without PyTorch; convert, run, version, compare and replace them.

>>> import hotbed
>>> model = hotbed.load("all-MiniLM-L6-v2")
>>> model.encode(["How do I bake bread?", "Brot backen"]).shape
(2, 384)
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hotbed.deployment import Deployment
    from hotbed.errors import HotbedError, HotbedWarning
    from hotbed.inference.embedder import Embedder
    from hotbed.inference.outputs import quantize_embeddings
    from hotbed.inference.token_outputs import SparseVector
    from hotbed.loading import load, refresh
    from hotbed.making import convert, quantize
    from hotbed.registry import Registry
    from hotbed.validation import validate
    from hotbed.version import __version__

__all__ = [
    "Deployment",
    "Embedder",
    "HotbedError",
    "HotbedWarning",
    "Registry",
    "SparseVector",
    "__version__",
    "convert",
    "load",
    "quantize",
    "quantize_embeddings",
    "refresh",
    "validate",
]

_WHERE = {
    "Deployment": "hotbed.deployment",
    "Embedder": "hotbed.inference.embedder",
    "HotbedError": "hotbed.errors",
    "HotbedWarning": "hotbed.errors",
    "Registry": "hotbed.registry",
    "SparseVector": "hotbed.inference.token_outputs",
    "__version__": "hotbed.version",
    "convert": "hotbed.making",
    "load": "hotbed.loading",
    "quantize": "hotbed.making",
    "quantize_embeddings": "hotbed.inference.outputs",
    "refresh": "hotbed.loading",
    "validate": "hotbed.validation",
}


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module 'hotbed' has no attribute {name!r}")
    value = getattr(import_module(_WHERE[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
