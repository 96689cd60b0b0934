"""One model folder, opened by sentence-transformers and by hotbed."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from attrs import frozen

from hotbed import Embedder
from hotbed.testing.tiny import TEXTS
from tests.oracle.ledger import LEDGER

__all__ = ["CUT", "FEW", "Pair", "edit"]

CUT = "ignore:.* texts are longer than:hotbed.errors.HotbedWarning"
"""hotbed says once that texts were cut; sentence-transformers does not."""

FEW = "ignore:.* ranges are taken from:hotbed.errors.HotbedWarning"
"""hotbed warns of ranges from few texts where sentence-transformers logs the same."""


@frozen(kw_only=True)
class Pair:
    """The same folder in both.

    Attributes:
        st: The oracle, a ``SentenceTransformer`` that computes in float32.
        hotbed: What is tested.
    """

    st: Any
    hotbed: Embedder

    def agree(
        self, texts: str | Sequence[str] = TEXTS, *, method: str = "encode", **options: Any
    ) -> None:
        """Check shape, type and every number; float32 sums in another order, hence 1e-5."""
        inputs = texts if isinstance(texts, str) else list(texts)
        expected = getattr(self.st, method)(inputs, **options)
        actual = getattr(self.hotbed, method)(inputs, **options)
        assert actual.shape == expected.shape
        assert actual.dtype == expected.dtype
        np.testing.assert_allclose(actual, expected, rtol=1e-5, atol=1e-5)
        if method == "encode" and not options and expected.ndim == 2:
            LEDGER.note_texts(self.hotbed.folder.family, expected, actual)


def edit(path: Path, **changes: Any) -> None:
    """Change keys of a JSON file; None removes a key."""
    value = json.loads(path.read_text(encoding="utf-8")) | changes
    kept = {key: item for key, item in value.items() if item is not None}
    path.write_text(json.dumps(kept), encoding="utf-8")
