"""Arrays of numbers that callers give: what can be used, and a plain word about what cannot."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from hotbed.errors import UsageError

__all__ = ["numbers", "whole_number"]


def numbers(
    value: Any, name: str, *, axes: tuple[int, ...] = (1, 2), dtype: DTypeLike | None = None
) -> NDArray[Any]:
    """Read vectors or a matrix of real numbers.

    Args:
        value: What was given: an array, nested lists, a tensor in the CPU's memory.
        name: The argument's name, for messages.
        axes: How many axes it may have.
        dtype: The type wanted; None keeps its own.

    Raises:
        UsageError: Rows differ in length, something is not a number, or the axes do not fit.
    """
    try:
        array = np.asarray(value)
        if array.dtype == object:  # rows of arrays or tensors
            if any(item is None for item in array.flat):
                raise TypeError("there is a None")
            array = array.astype(np.float64)
        if array.dtype.kind in "fiub" and dtype is not None:
            array = array.astype(dtype, copy=False)
    except (TypeError, ValueError, RuntimeError, OverflowError) as error:
        raise UsageError(
            f"{name} cannot be read as rows of equal length, of numbers: {error}"
        ) from error
    if array.dtype.kind not in "fiub" and array.dtype.name != "bfloat16":
        raise UsageError(f"{name} holds {array.dtype}, and real numbers are expected")
    if array.ndim not in axes:
        wanted = " or ".join(map(str, axes))
        raise UsageError(f"{name} has the shape {array.shape}; {wanted} axes are expected")
    return array


def whole_number(value: Any, name: str) -> int | None:
    """Read a whole number, Python's or numpy's; None stays None.

    Raises:
        UsageError: It is something else; True and 2.0 are.
    """
    if value is None:
        return None
    try:
        if isinstance(value, (bool, np.bool_)):
            raise TypeError
        return operator.index(value)
    except TypeError:
        raise UsageError(f"{name}={value!r:.60} is not a whole number") from None
