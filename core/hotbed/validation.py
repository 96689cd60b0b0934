"""``hotbed.validate``: how near two models, or two forms of one, are on the same texts."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from attrs import frozen

from hotbed.errors import HotbedWarning, UsageError
from hotbed.fidelity import Fidelity, Threshold, compare_vectors, threshold
from hotbed.fidelity.texts import TEXTS
from hotbed.inference.embedder import Embedder
from hotbed.loading import load

__all__ = ["Comparison", "validate"]


@frozen(kw_only=True)
class Comparison:
    """What ``validate`` found.

    Attributes:
        reference: What was taken for right: model, backend, arithmetic.
        other: What was judged.
        threshold: What was asked for.
        fidelity: What was found.
    """

    reference: str
    other: str
    threshold: Threshold
    fidelity: Fidelity

    @property
    def shortfall(self) -> str:
        """What falls short, in words; ``""`` if nothing does."""
        return self.threshold.shortfall(self.fidelity)


def validate(
    reference: str | Path | Embedder,
    other: str | Path | Embedder,
    texts: Sequence[str] | None = None,
    *,
    least: Threshold | None = None,
    **options: Any,
) -> Comparison:
    """Embed the same texts with two models and compare row by row.

    >>> found = hotbed.validate("all-MiniLM-L6-v2", "all-MiniLM-L6-v2")
    >>> found.shortfall, round(found.fidelity.lowest, 6)
    ('', 1.0)

    Args:
        reference: What is taken for right: an embedder, or what ``hotbed.load`` takes.
        other: What is judged.
        texts: What is embedded; None means the built-in texts.
        least: What is asked for; None means the threshold of the other's arithmetic.
        options: For ``hotbed.load`` of the other: ``backend``, ``dtype``, ``device``.

    Raises:
        UsageError: Their dimensions differ, or there is no text.
    """
    rows = list(dict.fromkeys(TEXTS if texts is None else texts))
    if not rows:
        raise UsageError("texts is empty; give at least one, or None for the built-in texts")
    if options and isinstance(other, Embedder):
        raise UsageError(f"{', '.join(options)}: given with an embedder, which is open already")
    first, mine = _open(reference, {})
    try:
        second, theirs = _open(other, options)
        try:
            with warnings.catch_warnings():
                if texts is None:  # that some of ours are over-long for a model is no news
                    warnings.simplefilter("ignore", HotbedWarning)
                found = compare_vectors(first.encode(rows), second.encode(rows))
            return Comparison(
                reference=_describe(first),
                other=_describe(second),
                threshold=threshold(second.loaded.dtype) if least is None else least,
                fidelity=found,
            )
        finally:
            if theirs:
                second.close()
    finally:
        if mine:
            first.close()


def _open(model: str | Path | Embedder, options: dict[str, Any]) -> tuple[Embedder, bool]:
    if isinstance(model, Embedder):
        return model, False
    return load(model, **options), True


def _describe(model: Embedder) -> str:
    loaded = model.loaded
    return f"{model.decision.model}: {loaded.backend}, {loaded.dtype} on {loaded.device}"
