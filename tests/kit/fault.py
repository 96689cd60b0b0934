"""A backend that is made of onnx_cpu and passes, and what a fault in it is."""

from __future__ import annotations

from attrs import frozen

__all__ = ["HEALTHY", "Fault"]


@frozen
class Fault:
    """A fault.

    Attributes:
        name: What is wrong.
        found_by: The test that has to fail.
        source: What is put behind the healthy module.
        heavy: Whether the heavy set finds it.
    """

    name: str
    found_by: str
    source: str
    heavy: bool = False


HEALTHY = '''
"""onnx_cpu under another name."""
import os
import threading
import time

import numpy as np
from attrs import evolve

import hotbed_onnx_cpu as real
from hotbed.backends import Capability, TokenBatch, hookimpl

_EMBED, _CONVERT = real.HOTBED.capabilities[:2]
HOTBED = evolve(
    real.HOTBED,
    name="patient",
    capabilities=(evolve(_EMBED, dtypes=("float32",), profiles=("portable",)),),
)
hotbed_probe = real.hotbed_probe
hotbed_load = real.hotbed_load
hotbed_embed = real.hotbed_embed
hotbed_close = real.hotbed_close
'''
