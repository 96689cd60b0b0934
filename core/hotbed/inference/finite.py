"""Vectors that are not finite never leave unnoticed.

One pass over the results of some thousand texts: the sum of squares of an array that holds NaN or
infinity is NaN or infinity, so a finite one proves the array sound. A sum that is not finite may
also have overflowed; only then each number is looked at. benchmarks/finite.py has the cost.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hotbed.errors import HotbedWarning, NonFiniteError
from hotbed.inference.token_outputs import SparseVector

__all__ = ["ON_NONFINITE", "check_finite", "is_finite"]

ON_NONFINITE = ("error", "warn", "allow")

_SHOWN = 8
"""How many texts a message names."""


def is_finite(array: NDArray[Any]) -> bool:
    """Whether an array of floats holds neither NaN nor infinity."""
    if array.flags.c_contiguous:
        flat = array.reshape(-1)
        with np.errstate(over="ignore", invalid="ignore"):
            if np.isfinite(np.dot(flat, flat)):
                return True
    return bool(np.isfinite(array).all())


def check_finite(found: Any, policy: str, start: int, model: str) -> None:
    """Look at everything that is going to be handed out for some texts.

    Args:
        found: (n, d) floats; or something for each text: an array, a SparseVector, a dict of them;
            or a dict of such by output.
        policy: ``error``, ``warn`` or ``allow``.
        start: The index of the first text.
        model: What to call the model.

    Raises:
        NonFiniteError: A text's result is not finite, and the policy is ``error``.
    """
    if policy == "allow":
        return
    named = found if isinstance(found, Mapping) else {"": found}
    for name, rows in named.items():
        bad = _spoilt(rows)
        if not bad:
            continue
        error = NonFiniteError(_told([start + row for row in bad], name, model))
        error.indices = tuple(start + row for row in bad)
        if policy == "error":
            raise error
        warnings.warn(str(error), HotbedWarning, stacklevel=5)


def _spoilt(rows: NDArray[Any] | Sequence[Any]) -> list[int]:
    """Which rows hold a number that is not finite."""
    if isinstance(rows, np.ndarray):
        if is_finite(rows):
            return []
        axes = tuple(range(1, rows.ndim))
        found: list[int] = np.flatnonzero(~np.isfinite(rows).all(axis=axes)).tolist()
        return found
    return [row for row, value in enumerate(rows) if not _sound(value)]


def _sound(value: Any) -> bool:
    if isinstance(value, Mapping):
        return all(_sound(part) for part in value.values())
    if isinstance(value, SparseVector):
        return is_finite(value.values)
    return value.dtype.kind != "f" or is_finite(value)


def _told(indices: list[int], name: str, model: str) -> str:
    shown = ", ".join(f"inputs[{index}]" for index in indices[:_SHOWN])
    more = f" and {len(indices) - _SHOWN} more" if len(indices) > _SHOWN else ""
    what = f"the output {name!r}" if name else "the vector"
    return (
        f"{model}: {what} of {shown}{more} holds NaN or infinity: the weights are spoilt, or the "
        f"arithmetic overflows, as float16's does above 65,504. Try dtype='float32', or convert "
        f"the model again; hotbed.load(..., on_nonfinite='warn') or 'allow' hands such vectors out"
    )
