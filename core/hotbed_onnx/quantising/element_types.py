"""Of what types an operator's outputs are, and whether they may be float16.

Files do not say of what type the values between nodes are. ONNX's own schemas say how each operator
passes types on; for ONNX Runtime's operators a list stands here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from attrs import field, frozen

from hotbed.errors import UnsupportedModelError
from hotbed_onnx.graph import CONTRIB

__all__ = ["FLOAT", "FLOAT16", "Signature", "attribute", "read_signature"]

FLOAT, FLOAT16, _INT32 = 1, 10, 6
"""ONNX's numbers of element types."""

_LIKE_THEIR_INPUTS = frozenset(
    "Attention BiasAdd BiasGelu BiasSoftmax BiasSplitGelu EmbedLayerNormalization FastGelu "
    "FusedMatMul Gelu GroupQueryAttention MultiHeadAttention QuickGelu RotaryEmbedding "
    "SimplifiedLayerNormalization SkipLayerNormalization SkipSimplifiedLayerNormalization "
    "TransposeMatMul".split()
)
"""ONNX Runtime's operators whose outputs are of the type of their float inputs, float16 as well."""

_FLOAT_UNLESS_SAID = frozenset({"LayerNormalization", "RandomNormal", "RandomUniform"})
"""Operators whose further outputs, or whose outputs, are float32 where no attribute says more."""


@frozen(kw_only=True)
class Signature:
    """What types an operator takes and gives.

    Attributes:
        kinds: Element types of its outputs; 0 for what is no tensor.
        float32_only: Places of float32 inputs that cannot be float16.
        changeable: Whether its float32 outputs are float16 where its inputs are.
    """

    kinds: Sequence[int] = field(factory=tuple)
    float32_only: frozenset[int] = frozenset()
    changeable: bool = True


def read_signature(node: Any, inputs: Sequence[int | None], opset: int) -> Signature:
    """Work out a node's signature.

    Args:
        node: The node, without branches.
        inputs: Element types of its inputs; None for those left out.
        opset: The version of ONNX's operators.

    Raises:
        UnsupportedModelError: The operator is not known, or its outputs' types are not.
    """
    from onnx import defs

    own = node.domain == CONTRIB or (node.domain == "" and not defs.has(node.op_type))
    if own and node.op_type in _LIKE_THEIR_INPUTS:
        return _like_inputs(node, inputs)
    try:
        schema = defs.get_schema(node.op_type, opset, node.domain)
    except defs.SchemaError as error:
        raise UnsupportedModelError(
            f"the operator {node.domain or 'ai.onnx'}:{node.op_type} of opset {opset} is not known "
            f"here, so the graph cannot be made float16"
        ) from error
    pairs = [
        (place, _slot(schema.inputs, place), kind)
        for place, kind in enumerate(inputs)
        if kind is not None
    ]
    bound = {slot.type_str: kind for _, slot, kind in reversed(pairs)}
    kinds = [
        _kind(node, _slot(schema.outputs, place), bound) if name else 0
        for place, name in enumerate(node.output)
    ]
    given = [_slot(schema.outputs, place) for place, kind in enumerate(kinds) if kind == FLOAT]
    follow = all(bound.get(slot.type_str) == FLOAT for slot in given) or node.op_type == "Cast"
    return Signature(
        kinds=kinds,
        float32_only=frozenset(
            place for place, slot, kind in pairs if kind == FLOAT and not _takes_float16(slot)
        ),
        changeable=follow and all(_takes_float16(slot) for slot in given),
    )


def _slot(declared: Any, place: int) -> Any:
    return declared[min(place, len(declared) - 1)]  # the last may take any number


def _takes_float16(slot: Any) -> bool:
    return "tensor(float16)" in slot.types


def _like_inputs(node: Any, inputs: Sequence[int | None]) -> Signature:
    known = [kind for kind in inputs if kind is not None]
    kind = next((kind for kind in known if kind in (FLOAT, FLOAT16)), known[0])
    kinds = [kind] * len(node.output)
    if node.op_type == "EmbedLayerNormalization" and len(kinds) > 1:
        kinds[1] = _INT32  # where each text ends
    return Signature(kinds=kinds)


def _kind(node: Any, slot: Any, bound: Mapping[str, int]) -> int:
    from onnx import TensorProto

    if node.op_type == "ConstantOfShape":
        value = attribute(node, "value")
        return FLOAT if value is None else int(value.data_type)
    named = attribute(node, "to" if node.op_type == "Cast" else "dtype")
    if named is not None:
        return int(named)
    if slot.type_str in bound:
        return bound[slot.type_str]
    if len(slot.types) == 1:
        (text,) = slot.types
        kind = text.removeprefix("tensor(").removesuffix(")").upper()
        return int(TensorProto.DataType.Value(kind)) if text.startswith("tensor(") else 0
    if node.op_type in _FLOAT_UNLESS_SAID:
        return FLOAT
    if "tensor(float)" in slot.types:
        raise UnsupportedModelError(
            f"{node.op_type} {node.name!r} gives a tensor whose type the file does not say; such a "
            f"graph cannot be made float16"
        )
    return 0


def attribute(node: Any, name: str) -> Any:
    """An attribute's value; None where it is not stated."""
    from onnx import helper

    for item in node.attribute:
        if item.name == name:
            return helper.get_attribute_value(item)
    return None
