"""What a model has to show before it serves: vectors of real texts, finite, right, and in time."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from statistics import median

import numpy as np
from attrs import field, frozen, validators

from hotbed.errors import HealthError, NonFiniteError
from hotbed.fidelity.compare import compare_vectors
from hotbed.fidelity.texts import TEXTS
from hotbed.fidelity.thresholds import Threshold, threshold
from hotbed.inference.embedder import Embedder
from hotbed.inference.inputs import texts_of
from hotbed.registry.reference import ReferenceVectors, fitting, read_reference

__all__ = ["Checked", "Health"]

_TIMED = 5
"""Texts that are timed one by one."""

_COARSE = Threshold(mean=0.9)
"""What is asked of forms that promise no cosine, such as 4-bit ones: that it is the same model."""


@frozen(kw_only=True)
class Checked:
    """What a check found.

    Attributes:
        texts: How many texts were embedded.
        dimension: Width of their vectors.
        seconds: Of one text, the median.
        cosine: The lowest to the stored reference vectors; None where none are stored.
    """

    texts: int
    dimension: int
    seconds: float
    cosine: float | None


def _texts(given: Iterable[str]) -> tuple[str, ...]:
    return tuple(texts_of(given, name="texts"))


@frozen(kw_only=True)
class Health:
    """The check of a candidate.

    >>> Health(max_seconds=0.2)
    Health(texts=24, max_seconds=0.2, min_cosine=None)

    Attributes:
        texts: What is embedded.
        max_seconds: How long one text may take, in the median of five. None asks for nothing.
        min_cosine: Lowest cosine to the reference vectors that are stored with a version. None
            asks for what the model's storage promises (docs/quantisation.md).
    """

    texts: tuple[str, ...] = field(default=TEXTS, converter=_texts, repr=lambda t: str(len(t)))
    max_seconds: float | None = 10.0
    min_cosine: float | None = None

    @texts.validator
    def _some(self, _: object, value: tuple[str, ...]) -> None:
        validators.min_len(1)(self, _, value)  # type: ignore[arg-type]

    def check(self, model: Embedder, dimension: int | None = None) -> Checked:
        """Check a loaded model.

        Args:
            model: The candidate.
            dimension: Width that its vectors should have; None takes any.

        Raises:
            HealthError: It is not fit to serve; the message says what was asked and found.
        """
        texts = fitting(model, self.texts)
        try:
            vectors = model.encode(list(texts), prompt="", show_progress_bar=False)
        except NonFiniteError as error:
            first = texts[error.indices[0]]
            raise HealthError(
                f"{len(error.indices)} of {len(texts)} vectors hold numbers that are not finite; "
                f"the first is of {first!r:.60}"
            ) from error
        wanted = model.truncate_dim or dimension
        if wanted is not None and vectors.shape[1] != wanted:
            raise HealthError(
                f"its vectors have {vectors.shape[1]} numbers, and {wanted} are expected"
            )
        broken = np.flatnonzero(~np.isfinite(vectors).all(axis=1))
        if len(broken):
            raise HealthError(
                f"{len(broken)} of {len(vectors)} vectors hold numbers that are not finite; the "
                f"first is of {texts[broken[0]]!r:.60}"
            )
        reference = read_reference(model.folder.root)
        return Checked(
            texts=len(vectors),
            dimension=vectors.shape[1],
            seconds=self._in_time(model, texts[:_TIMED]),
            cosine=None if reference is None else self._the_same(model, reference),
        )

    def _in_time(self, model: Embedder, texts: Sequence[str]) -> float:
        took = []
        for text in texts:
            start = time.perf_counter()
            model.encode(text, prompt="")
            took.append(time.perf_counter() - start)
        seconds = median(took)
        if self.max_seconds is not None and seconds > self.max_seconds:
            raise HealthError(
                f"a text takes {seconds:.3f} s (median of {len(took)}), and at most "
                f"{self.max_seconds} s is allowed"
            )
        return seconds

    def _the_same(self, model: Embedder, reference: ReferenceVectors) -> float:
        whole = fitting(model, reference.texts)
        vectors = model.encode(list(whole), prompt="", show_progress_bar=False)
        rows = [reference.texts.index(text) for text in whole]
        stored = reference.vectors[rows, : vectors.shape[1]]
        if stored.shape != vectors.shape:
            raise HealthError(
                f"its vectors have {vectors.shape[1]} numbers, and those stored with it "
                f"{stored.shape[1]}"
            )
        found = compare_vectors(stored, vectors)
        if short := self._least(model).shortfall(found):
            raise HealthError(
                f"its vectors of {len(whole)} texts are not those stored with it: {short}"
            )
        return found.lowest

    def _least(self, model: Embedder) -> Threshold:
        if self.min_cosine is not None:
            return Threshold(lowest=self.min_cosine)
        route = model.decision.chosen.route if model.decision.chosen else None
        dtypes = [model.loaded.dtype, *([route.variant.storage] if route else [])]
        promised = min(map(threshold, dtypes), key=_height)
        return _COARSE if promised == Threshold() else promised


def _height(least: Threshold) -> float:
    return max(least.lowest, least.mean)
