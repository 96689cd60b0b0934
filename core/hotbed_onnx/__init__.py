"""The ONNX workshop: build graphs from safetensors without PyTorch, and run them.

Shared by the ONNX backends. ``onnx`` and ``onnxruntime`` are imported where they are used.
"""

from __future__ import annotations

from hotbed_onnx.build import build_model
from hotbed_onnx.families import BUILDER_VERSION, FAMILIES, PROFILES

__all__ = ["BUILDER_VERSION", "FAMILIES", "PROFILES", "build_model"]
