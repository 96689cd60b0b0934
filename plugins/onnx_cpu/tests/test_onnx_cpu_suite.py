"""onnx_cpu under the embed suite."""

from __future__ import annotations

from hotbed.testing.embed import EmbedSuite


class TestOnnxCpu(EmbedSuite):
    """Every promise of an embedding backend, on ONNX Runtime's CPU provider."""

    backend = "onnx_cpu"
    device = "cpu"
