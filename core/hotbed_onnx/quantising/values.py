"""Who makes each value of a graph, who uses it, and of what type it is."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import cached_property
from typing import Any

import numpy as np
from attrs import define, field, frozen

from hotbed.errors import UnsupportedModelError
from hotbed_onnx.graph import Graph, Tensor, onnx_type
from hotbed_onnx.quantising.element_types import FLOAT, Signature, read_signature

__all__ = ["Flow", "Operator", "Scope", "Use", "Value", "trace"]


@define(eq=False, slots=False)
class Value:
    """A tensor in a graph.

    Attributes:
        name: Its name; branches beside one another may use the same.
        kind: Its element type; 0 for what is no tensor.
        scope: Where it is made.
        maker: The operator that makes it; None for inputs and constants.
        numbers: What it holds, of a constant.
        uses: Who uses it.
        output: Whether the whole graph gives it.
    """

    name: str
    kind: int
    scope: Scope
    maker: Operator | None = None
    numbers: Tensor | None = None
    uses: list[Use] = field(factory=list)
    output: bool = False

    @cached_property
    def scalar(self) -> float | None:
        """The number, of a constant that holds a single one."""
        if self.numbers is None or math.prod(self.numbers.shape) != 1:
            return None
        return float(np.asarray(next(self.numbers.blocks())).reshape(()))


@define(eq=False)
class Operator:
    """A node.

    Attributes:
        node: The node.
        scope: Where it stands.
        inputs: What it uses; None for inputs left out. Of an ``If``: the condition, and what each
            branch gives. Of a loop: its inputs, and what its body takes from around it.
        outputs: What it makes; None for outputs left out.
        signature: What types it takes and gives.
        closed: How many inputs its node has itself, of a loop; None of all others.
    """

    node: Any
    scope: Scope
    inputs: list[Value | None]
    outputs: list[Value | None] = field(factory=list)
    signature: Signature = field(factory=Signature)
    closed: int | None = None

    @property
    def kind(self) -> str:
        """The type of operator."""
        return str(self.node.op_type)

    @property
    def floats_in(self) -> list[Value]:
        """Inputs that are float32."""
        return [item for item in self.inputs if item is not None and item.kind == FLOAT]

    @property
    def floats_out(self) -> list[Value]:
        """Outputs that are float32."""
        return [item for item in self.outputs if item is not None and item.kind == FLOAT]


@frozen(eq=False)
class Use:
    """That an operator uses a value, as the input of that place."""

    operator: Operator
    place: int


@define(eq=False)
class Scope:
    """The whole graph, or a branch of it.

    Attributes:
        outer: What is around it; None of the whole graph.
        proto: The branch; None of the whole graph.
        values: What is made here, by name.
        items: Its nodes in order, each with its operator, or with the constant that it holds.
    """

    outer: Scope | None = None
    proto: Any = None
    values: dict[str, Value] = field(factory=dict)
    items: list[tuple[Any, Operator | Value]] = field(factory=list)

    def find(self, name: str) -> Value | None:
        """The value of that name, made here or around."""
        scope: Scope | None = self
        while scope is not None:
            if name in scope.values:
                return scope.values[name]
            scope = scope.outer
        return None


@define(eq=False)
class Flow:
    """A graph, traced.

    Attributes:
        opset: Its version of ONNX's operators.
        scopes: The whole graph, and every branch after what is around it.
        operators: Every operator after those whose values it uses.
    """

    opset: int
    scopes: list[Scope] = field(factory=list)
    operators: list[Operator] = field(factory=list)

    def values(self) -> Iterator[Value]:
        """Every value."""
        for scope in self.scopes:
            yield from scope.values.values()


def trace(graph: Graph) -> Flow:
    """Work out makers, uses and types.

    Raises:
        UnsupportedModelError: An operator is not known, or uses what nothing makes.
    """
    flow, whole = Flow(graph.opset), Scope()
    flow.scopes.append(whole)
    for item in graph.inputs:
        kind = int(item.type.tensor_type.elem_type)
        whole.values[item.name] = Value(item.name, kind, whole)
    for name, tensor in graph.tensors.items():  # old files list weights among the inputs as well
        whole.values[name] = Value(name, onnx_type(tensor.dtype), whole, numbers=tensor)
    _walk(flow, whole, graph.nodes)
    for item in graph.outputs:
        _found(whole, item.name, graph.name).output = True
    return flow


def _walk(flow: Flow, scope: Scope, nodes: Any) -> None:
    for node in nodes:
        if node.op_type == "Constant" and (tensor := _constant(node)) is not None:
            name = node.output[0]
            value = Value(name, onnx_type(tensor.dtype), scope, numbers=tensor)
            scope.values[name] = value
            scope.items.append((node, value))
            continue
        operator = _operator(flow, scope, node)
        for place, used in enumerate(operator.inputs):
            if used is not None:
                used.uses.append(Use(operator, place))
        scope.items.append((node, operator))
        flow.operators.append(operator)


def _operator(flow: Flow, scope: Scope, node: Any) -> Operator:
    inputs = [_found(scope, name, node.op_type) if name else None for name in node.input]
    bodies = [item.g for item in node.attribute if item.HasField("g")]
    if node.op_type == "If":
        branches = [_branch(flow, scope, body) for body in bodies]
        signature = Signature(kinds=[value.kind for value in branches[0]])
        operator = Operator(node, scope, [*inputs, *branches[0], *branches[1]], signature=signature)
    elif bodies:
        taken = [_found(scope, name, node.op_type) for name in sorted(_taken(bodies[0]))]
        first = 1 if node.op_type == "Loop" else 0  # a loop's body also says whether to go on
        kinds = [int(item.type.tensor_type.elem_type) for item in bodies[0].output][first:]
        signature = Signature(kinds=kinds, changeable=False)
        operator = Operator(node, scope, [*inputs, *taken], signature=signature, closed=len(inputs))
    else:
        known = [None if value is None else value.kind for value in inputs]
        operator = Operator(node, scope, inputs, signature=read_signature(node, known, flow.opset))
    for name, kind in zip(node.output, operator.signature.kinds, strict=False):
        value = Value(name, kind, scope, maker=operator) if name else None
        operator.outputs.append(value)
        if value is not None:
            scope.values[name] = value
    return operator


def _branch(flow: Flow, outer: Scope, body: Any) -> list[Value]:
    scope = Scope(outer=outer, proto=body)
    flow.scopes.append(scope)
    for item in body.initializer:
        tensor = _held(item, item.name)
        scope.values[item.name] = Value(item.name, onnx_type(tensor.dtype), scope, numbers=tensor)
    _walk(flow, scope, body.node)
    return [_found(scope, item.name, "If") for item in body.output]


def _taken(body: Any) -> set[str]:
    """Names that a body uses and does not make."""
    made = {item.name for item in (*body.input, *body.initializer)}
    used = {item.name for item in body.output}
    for node in body.node:
        used |= set(node.input)
        made |= set(node.output)
        for item in node.attribute:
            if item.HasField("g"):
                used |= _taken(item.g)
    return used - made - {""}


def _found(scope: Scope, name: str, user: str) -> Value:
    value = scope.find(name)
    if value is None:
        raise UnsupportedModelError(
            f"{user} uses {name!r}, which nothing in the graph makes; sparse weights and functions "
            f"in the file are not read here"
        )
    return value


def _constant(node: Any) -> Tensor | None:
    """What a Constant holds; None where it is text, or sparse."""
    from onnx import numpy_helper

    item = node.attribute[0]
    if item.name == "value":
        return _held(item.t, node.output[0])
    plain = {"value_float": "float32", "value_floats": "float32"}
    plain |= {"value_int": "int64", "value_ints": "int64"}
    if item.name not in plain:
        return None
    held = {"value_float": item.f, "value_int": item.i}.get(item.name)
    array = np.asarray(
        held if held is not None else list(item.floats or item.ints), plain[item.name]
    )
    return _held(numpy_helper.from_array(array), node.output[0])


def _held(proto: Any, name: str) -> Tensor:
    """A constant that lies among the nodes."""
    from onnx import TensorProto, numpy_helper

    if proto.data_location == TensorProto.EXTERNAL:
        raise UnsupportedModelError(f"{name}, a constant among the nodes, lies outside the file")
    array = np.asarray(numpy_helper.to_array(proto)).reshape(tuple(proto.dims))
    return Tensor(name=name, shape=array.shape, dtype=array.dtype, read=lambda rows: array)
