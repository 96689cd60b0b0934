"""The arguments of one ``encode`` call, checked together before any work."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from attrs import field, frozen
from numpy.typing import ArrayLike, NDArray

from hotbed.errors import UsageError
from hotbed.inference.arrays import whole_number
from hotbed.inference.invalid_text import ON_INVALID_TEXT
from hotbed.inference.outputs import PRECISIONS, quantize_embeddings
from hotbed.inference.runner import SENTENCES, TOKENS
from hotbed.inference.token_outputs import DENSE, OUTPUTS

__all__ = ["EncodeOptions"]

_OUTPUT_VALUES = (SENTENCES, TOKENS, None)


def _batch_size(value: Any) -> int | None:
    return whole_number(value, "batch_size")


def _truncate_dim(value: Any) -> int | None:
    return whole_number(value, "truncate_dim")


@frozen(kw_only=True, eq=False)
class EncodeOptions:
    """What one call asks for; see ``Embedder.encode``."""

    prompt: str
    batch_size: int | None = field(converter=_batch_size)
    show_progress_bar: bool | None
    output_value: str | None = field()
    precision: str = field()
    normalize: bool
    truncate_dim: int | None = field(converter=_truncate_dim)
    ranges: ArrayLike | None
    calibration: ArrayLike | None
    outputs: Sequence[str] | None = field(default=None)
    on_invalid_text: str = field(default="error")

    @batch_size.validator
    def _positive(self, _: Any, value: int | None) -> None:
        if value is not None and value < 1:
            raise UsageError(f"batch_size={value} is not a positive number of texts")

    @output_value.validator
    def _known_output(self, _: Any, value: str | None) -> None:
        if not isinstance(value, str | None) or value not in _OUTPUT_VALUES:
            raise UsageError(f"output_value={value!r} is not one of {SENTENCES}, {TOKENS}, None")

    @precision.validator
    def _known_precision(self, _: Any, value: str) -> None:
        if not isinstance(value, str) or value not in PRECISIONS:
            raise UsageError(f"precision={value!r:.60} is not one of {', '.join(PRECISIONS)}")
        if value != "float32" and self.output_value != SENTENCES:
            raise UsageError(f"precision={value!r} is for sentence embeddings, not tokens'")

    @on_invalid_text.validator
    def _known_remedy(self, _: Any, value: str) -> None:
        if value not in ON_INVALID_TEXT:
            known = " or ".join(map(repr, ON_INVALID_TEXT))
            raise UsageError(f"on_invalid_text={value!r}: say {known}")

    @outputs.validator
    def _known_outputs(self, _: Any, value: Sequence[str] | None) -> None:
        if value is None:
            return
        # A lone string is what ("sparse") without its comma is.
        if (
            not isinstance(value, (tuple, list))
            or not value
            or not all(v in OUTPUTS for v in value)
        ):
            raise UsageError(f"outputs={value!r:.60}: give a tuple of {', '.join(OUTPUTS)}")
        if self.output_value != SENTENCES:
            raise UsageError(
                f"outputs={value!r} and output_value={self.output_value!r} ask for different things"
            )
        if DENSE not in value and self.precision != "float32":
            raise UsageError(f"precision={self.precision!r} is for {DENSE!r}, not {value!r}")

    def refuse_ranges_from_few(self, what: str) -> None:
        """Refuse integers whose ranges would have to come from one text, or from later ones."""
        if self.precision in ("int8", "uint8") and self.ranges is None and self.calibration is None:
            raise UsageError(
                f"precision={self.precision!r} of {what} needs ranges= or calibration_embeddings= "
                f"from a representative set of texts"
            )

    def quantize(self, vectors: NDArray[np.float32]) -> NDArray[Any]:
        """Give the vectors in the precision asked for."""
        if self.precision == "float32":
            return vectors
        return quantize_embeddings(vectors, self.precision, self.ranges, self.calibration)
