"""How near two ways of computing the same vectors are."""

from __future__ import annotations

from hotbed.fidelity.compare import Fidelity, compare_vectors
from hotbed.fidelity.gate import Gate, NumpyReference, RunnerReference
from hotbed.fidelity.report import Report
from hotbed.fidelity.source import artifact_reference, source_reference
from hotbed.fidelity.thresholds import Threshold, threshold

__all__ = [
    "Fidelity",
    "Gate",
    "NumpyReference",
    "Report",
    "RunnerReference",
    "Threshold",
    "artifact_reference",
    "compare_vectors",
    "source_reference",
    "threshold",
]
