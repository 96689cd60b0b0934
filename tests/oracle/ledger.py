"""What the oracle tests measured, by family: what docs/families.md is made from."""

from __future__ import annotations

import json
from importlib.metadata import version
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hotbed.fidelity import Fidelity, compare_vectors

__all__ = ["LEDGER", "Ledger"]

_ORACLES = ("torch", "transformers", "sentence-transformers", "model2vec")


class Ledger:
    """Comparisons counted, and the worst of each kind kept."""

    def __init__(self) -> None:
        self._seen: dict[str, dict[str, dict[str, float]]] = {}

    def note(self, family: str, what: str, seen: Fidelity) -> None:
        """Enter one comparison of a family's vectors with an oracle's.

        Args:
            family: ``config.model_type``.
            what: What was compared with the oracle: a graph profile, the reference, the library.
            seen: The comparison.
        """
        cell = self._seen.setdefault(family, {}).setdefault(
            what, {"batches": 0, "rows": 0, "lowest": 1.0, "max_abs": 0.0}
        )
        cell["batches"] += 1
        cell["rows"] += seen.texts
        cell["lowest"] = min(cell["lowest"], seen.lowest)
        cell["max_abs"] = max(cell["max_abs"], seen.max_abs)

    def note_texts(
        self, family: str, expected: NDArray[np.floating], found: NDArray[np.floating]
    ) -> None:
        """Enter what ``encode`` gave for texts, beside the oracle's own ``encode``."""
        self.note(family, "encode", compare_vectors(expected, found))

    def write(self, path: Path) -> None:
        """Write everything as JSON."""
        report = {
            "oracles": {name: version(name) for name in _ORACLES},
            "families": {name: self._seen[name] for name in sorted(self._seen)},
        }
        path.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")


LEDGER = Ledger()
"""Of this run."""
