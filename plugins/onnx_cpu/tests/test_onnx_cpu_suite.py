"""onnx_cpu under the kit; subclassing is the other way of running it (see noxfile.py)."""

from __future__ import annotations

from hotbed.testing import ConvertSuite, EmbedSuite, ManifestSuite


class TestManifest(ManifestSuite):
    """What onnx_cpu says of itself."""

    backend = "onnx_cpu"


class TestEmbed(EmbedSuite):
    """Every promise of an embedding backend, on ONNX Runtime's CPU provider."""

    backend = "onnx_cpu"


class TestConvert(ConvertSuite):
    """BERT's graph from safetensors, in both profiles."""

    backend = "onnx_cpu"
