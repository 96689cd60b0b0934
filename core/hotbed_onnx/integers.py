"""What this machine's CPU makes of 8-bit integers.

ONNX Runtime multiplies unsigned by signed bytes. With VNNI the products are added in 32 bits.
Without it, x86 adds two of them in 16 bits, where 8-bit weights may overflow: it is slower, and
the vectors are others (microsoft/onnxruntime, "Quantize ONNX models", on VPMADDUBSW).
"""

from __future__ import annotations

import functools
import warnings

from hotbed.backends import Artifact
from hotbed.backends.processor import first_processor, instruction_sets
from hotbed.errors import HotbedWarning

__all__ = ["INTEGERS", "here", "warn_of_overflow", "without_vnni"]

INTEGERS = frozenset({"int8", "uint8", "q8"})
"""Storages whose products are of bytes."""

_X86 = "avx2"
_VNNI = frozenset({"avx_vnni", "avx512_vnni", "amx_int8"})


def without_vnni(features: frozenset[str]) -> bool:
    """Whether these are an x86 CPU's, and VNNI is not among them; unknown is not a yes."""
    return _X86 in features and not features & _VNNI


@functools.cache
def here() -> frozenset[str]:
    """This machine's instruction sets."""
    return instruction_sets(first_processor())


def warn_of_overflow(artifact: Artifact, weight_bits: str, features: frozenset[str]) -> None:
    """Warn of a file whose sums may overflow on such a CPU.

    Args:
        artifact: The file.
        weight_bits: What the file says of its weights; ``""`` where it says nothing.
        features: The CPU's instruction sets.
    """
    if artifact.variant.storage in INTEGERS and weight_bits != "7" and without_vnni(features):
        warnings.warn(
            f"{artifact.path.name} holds 8-bit integers, and this CPU has no VNNI: it runs slower "
            f"than on newer ones, and sums may overflow, which changes vectors. Quantise on this "
            f"machine, which takes 7 bits, or use w8",
            HotbedWarning,
            stacklevel=2,
        )
