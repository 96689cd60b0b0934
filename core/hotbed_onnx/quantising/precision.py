"""Which operators of a graph may compute in float16, and which stay in float32.

float16 ends at 65,504 and has 11 bits. What the hub's half-precision models do well in it is
products with weights, attention, activations, and norms in one operator, which add up in float32
inside. What is kept apart here:

- sums, means, powers and roots: pooling, lengths, and norms written out in plain operators; with
  them the elementwise operators before and after, up to the next product, so that a residual stream
  that is normalised in float32 also adds up in float32;
- what is computed from whole numbers: positions and their angles, and the arithmetic of masks;
- products with such numbers, which are means;
- elementwise operators with a number that float16 does not hold, as 1e-12.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from enum import IntEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hotbed_onnx.quantising.arithmetic import LARGEST
from hotbed_onnx.quantising.element_types import attribute
from hotbed_onnx.quantising.values import Operator, Use, Value

__all__ = [
    "HIDDEN",
    "MOVES",
    "SATURATES",
    "Origin",
    "Origins",
    "decide",
    "is_indifferent",
    "is_large",
    "origins",
    "wants_single",
]

_SMALLEST = 2.0**-14
"""The smallest normal number of float16."""

_SUMS = frozenset(
    "AveragePool CumSum Exp GlobalAveragePool GlobalLpPool Log LpNormalization LpPool "
    "MeanVarianceNormalization Pow Reciprocal ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp "
    "ReduceMax ReduceMean ReduceMin ReduceProd ReduceSum ReduceSumSquare Sqrt".split()
)
"""What overflows in float16, or loses too much. Extremes are here for the floors below them."""

_RMS_NORMS = frozenset(
    {"RMSNormalization", "SimplifiedLayerNormalization", "SkipSimplifiedLayerNormalization"}
)
"""These are of language models, whose residual streams grow beyond float16."""

_ELEMENTWISE = frozenset(
    "Abs Add Celu Clip Cos Div Elu Erf Gelu HardSigmoid HardSwish LeakyRelu Max Mean Min Mish Mod "
    "Mul Neg PRelu Relu Round Selu Sigmoid Sign Sin Softplus Softsign Sub Sum Tanh "
    "ThresholdedRelu Where".split()
)

MOVES = frozenset(
    "Cast Compress Concat Dropout Expand Flatten Gather GatherElements GatherND Identity If Pad "
    "Reshape ScatterElements ScatterND Slice Split Squeeze Tile Transpose Trilu Unsqueeze".split()
)
"""Operators that move numbers and change none: they follow what is around them."""

SATURATES = frozenset({"Clip", "Max", "Min"})
"""Operators of which a number beyond float16 is a limit, and its end does as well."""

HIDDEN = 1e4
"""What masks take from a score in float16: enough to hide, and the sum of several is finite."""

_BOUNDED = frozenset({"Cos", "Erf", "Sigmoid", "Sin", "Softmax", "Tanh"})
_LOOKS_UP = frozenset({"Gather", "GatherElements", "GatherND"})
_PRODUCTS = frozenset({"Einsum", "FusedMatMul", "Gemm", "MatMul"})
_SHAPES = frozenset({"Shape", "Size"})


class Origin(IntEnum):
    """What a value comes from; an operator's is the highest of its inputs'."""

    CONSTANT = 0
    """Constants alone, or a choice between them: free to be of either type."""

    COMPUTED = 1
    """Whole numbers and truth values that became floats."""

    ACTIVATION = 2
    """Weights that were looked up, and what became of them."""


Origins = dict[Operator, Origin]


def origins(operators: Sequence[Operator]) -> Origins:
    """Where each operator's values come from."""
    found: Origins = {}
    for operator in operators:
        found[operator] = _origin(operator, found)
    return found


def _origin(operator: Operator, known: Origins) -> Origin:
    inputs = operator.floats_in
    if not inputs:
        return Origin.COMPUTED
    highest = max(_origin_of(value, known) for value in inputs)
    if operator.kind in _LOOKS_UP:
        index = operator.inputs[1]
        dynamic = index is not None and index.numbers is None
        return Origin.ACTIVATION if dynamic and highest is Origin.CONSTANT else highest
    if operator.kind in _ELEMENTWISE | MOVES | _SUMS | _RMS_NORMS:
        return highest
    if not operator.floats_out or (operator.kind in _PRODUCTS and highest is Origin.COMPUTED):
        return highest
    return Origin.ACTIVATION


def _origin_of(value: Value, known: Origins) -> Origin:
    if value.maker is not None:
        return known[value.maker]
    return Origin.ACTIVATION if value.numbers is None else Origin.CONSTANT


def decide(operators: Sequence[Operator], known: Origins) -> set[Operator]:
    """The operators that stay in float32."""
    concerned = [item for item in operators if item.floats_in or item.floats_out]
    single = {item for item in concerned if _must(item, known)}
    before = -1
    while before != len(single):
        before = len(single)
        for operator in (*concerned, *reversed(concerned)):
            if operator not in single and _drawn(operator, known, single):
                single.add(operator)
    return single


def wants_single(use: Use, single: set[Operator]) -> bool:
    """Whether a value is used in float32."""
    return use.operator in single or use.place in use.operator.signature.float32_only


def is_indifferent(use: Use) -> bool:
    """Whether a value is used for its shape alone."""
    return use.operator.kind in _SHAPES


def _must(operator: Operator, known: Origins) -> bool:
    origin, kind = known[operator], operator.kind
    if kind in _SHAPES:
        return False
    if (
        not operator.signature.changeable
        or operator.closed is not None
        or kind in _SUMS | _RMS_NORMS
    ):
        return True
    if origin is Origin.COMPUTED and kind not in MOVES:
        return True
    if origin is not Origin.ACTIVATION and not operator.floats_out:  # comparisons, roundings
        return True
    if kind in _PRODUCTS and any(
        _origin_of(value, known) is Origin.COMPUTED for value in operator.floats_in
    ):
        return True
    if kind == "If":  # a branch that gives what it did not make cannot cast it
        return any(
            value.maker is None or value.scope.outer is not operator.scope
            for value in operator.floats_in
        )
    return _is_given(operator) or _holds_what_float16_does_not(operator)


def _is_given(operator: Operator) -> bool:
    """Whether it only gives a value the name of an output, which is float32."""
    return operator.kind == "Identity" and any(value.output for value in operator.floats_out)


def _holds_what_float16_does_not(operator: Operator) -> bool:
    if operator.kind not in _ELEMENTWISE:
        return False
    sizes = [abs(value.scalar) for value in operator.floats_in if value.scalar is not None]
    if any(0 < size < _SMALLEST for size in sizes):
        return True
    replaced = operator.kind == "Where" or operator.kind in SATURATES
    return not replaced and any(size > LARGEST and not math.isnan(size) for size in sizes)


def _drawn(operator: Operator, known: Origins, single: set[Operator]) -> bool:
    """Whether what is around an operator in float32 makes it so too."""
    if operator.kind in _SHAPES:
        return False
    made = operator.floats_out
    uses = [use for value in made for use in value.uses if wants_single(use, single)]
    asked = bool(uses)
    if known[operator] is not Origin.ACTIVATION:
        return asked or any(value.output for value in made)
    fed = any(
        value.maker in single and known[value.maker] is Origin.ACTIVATION
        for value in operator.floats_in
        if value.maker is not None
    )
    if operator.kind in _ELEMENTWISE or not made:
        return fed or not all(_is_given(use.operator) for use in uses)
    if operator.kind in MOVES:
        given = any(value.output for value in made)
        return fed and (
            asked or given or any(_is_a_sum(value, single) for value in operator.floats_in)
        )
    return False


def _is_a_sum(value: Value, single: set[Operator]) -> bool:
    """Whether a value may be beyond float16 until it is divided."""
    maker = value.maker
    if maker is None or maker not in single:
        return False
    if maker.kind in MOVES:
        return any(_is_a_sum(item, single) for item in maker.floats_in)
    return maker.kind in _SUMS | _PRODUCTS


def is_large(value: Value, seen: set[Value]) -> bool:
    """Whether a number of more than a mask's size went into a value."""
    if value in seen:
        return False
    seen.add(value)
    if value.numbers is not None:
        return any(np.abs(block).max(initial=0) > HIDDEN for block in value.numbers.blocks())
    if value.maker is None or value.maker.kind in _BOUNDED:
        return False
    if value.maker.kind == "ConstantOfShape":
        filled = attribute(value.maker.node, "value")
        return filled is not None and bool(np.abs(_array(filled)).max(initial=0) > HIDDEN)
    return value.maker.kind == "Log" or any(is_large(item, seen) for item in value.maker.floats_in)


def _array(proto: Any) -> NDArray[Any]:
    from onnx import numpy_helper

    return np.asarray(numpy_helper.to_array(proto))
