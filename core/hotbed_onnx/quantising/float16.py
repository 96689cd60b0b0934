"""Make a float32 graph compute in half precision, as the hub's ``model_fp16.onnx`` does.

Weights become float16 and arithmetic with them; what the graph is fed and gives stays as it is.
``onnxruntime.transformers.float16`` does the like for a model that is held in memory whole, and
clamps what does not fit; here weights are read when they are written, and such are refused.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import numpy as np
from attrs import define, evolve, field
from numpy.typing import NDArray

from hotbed_onnx.graph import Graph, Tensor
from hotbed_onnx.quantising import precision
from hotbed_onnx.quantising.arithmetic import LARGEST, halves
from hotbed_onnx.quantising.element_types import FLOAT, FLOAT16
from hotbed_onnx.quantising.precision import (
    HIDDEN,
    MOVES,
    SATURATES,
    Origin,
    is_indifferent,
    is_large,
    wants_single,
)
from hotbed_onnx.quantising.values import Flow, Operator, Scope, Use, Value, trace

__all__ = ["to_float16"]

Array = NDArray[Any]

_ENCLOSING = frozenset({"If", "Loop", "Scan"})

_SMALL = 2**16
"""Values up to which a constant is kept in float32 for what computes in float32."""


def to_float16(graph: Graph) -> None:
    """Change a float32 graph to half precision, in place.

    Sums, norms written out, pooling and the arithmetic of positions and masks stay in float32,
    with casts at the border (``precision``). A mask's lowest number becomes -10,000, so that a row
    that sees nothing stays finite. Weights are converted when they are written.

    >>> source = read_graph(path)  # doctest: +SKIP
    >>> to_float16(source.graph)  # doctest: +SKIP
    >>> save(source.graph, out, external=False, metadata=source.metadata)  # doctest: +SKIP

    Args:
        graph: The graph; unquantised, as its tensors are told apart by type alone.

    Raises:
        UnsupportedModelError: An operator is not known.
        ConversionError: At writing: a weight is NaN, infinite or beyond 65,504; it is named.
    """
    flow = trace(graph)
    known = precision.origins(flow.operators)
    change = _Change(
        graph=graph,
        flow=flow,
        known=known,
        single=precision.decide(flow.operators, known),
        names={value.name for value in flow.values()} | set(graph.tensors),
    )
    for value in list(flow.values()):
        if value.kind == FLOAT and value.numbers is not None:
            change.constant(value, value.numbers)
        elif value.kind == FLOAT:
            change.deliver(value)
    change.write()


@define(kw_only=True, eq=False)
class _Change:
    """A graph while it is changed.

    Attributes:
        graph: The graph.
        flow: Its values and operators.
        known: What each operator's values come from.
        single: The operators that stay in float32.
        names: Every name in use.
        first: Nodes that come before all others.
        after: Nodes that come after an operator's.
        gone: Constants that nothing uses any more.
    """

    graph: Graph
    flow: Flow
    known: precision.Origins
    single: set[Operator]
    names: set[str]
    first: list[Any] = field(factory=list)
    after: dict[Operator, list[Any]] = field(factory=lambda: defaultdict(list))
    gone: set[Value] = field(factory=set)

    def deliver(self, value: Value) -> None:
        """See that each use of a value gets it in the type that it wants."""
        singles = [use for use in value.uses if wants_single(use, self.single)]
        others = [use for use in value.uses if use not in singles]
        if value.maker is None or value.maker in self.single:
            halves = [use for use in others if not is_indifferent(use)]
            if halves:
                _rename(halves, self._cast(value, self._bounded(value), FLOAT16))
        elif value.output or any(_inside_a_loop(use) for use in singles):
            # The name is known outside, so what is made takes another.
            name = self._fresh(f"{value.name}.float16")
            outputs = value.maker.node.output
            outputs[list(outputs).index(value.name)] = name
            _rename(others, name)
            self.after[value.maker].append(_node("Cast", [name], value.name, to=FLOAT))
        elif singles:
            _rename(singles, self._cast(value, value.name, FLOAT))

    def constant(self, value: Value, numbers: Tensor) -> None:
        """Store a constant in the types that are wanted."""
        singles = [use for use in value.uses if wants_single(use, self.single)]
        others = [use for use in value.uses if use not in singles]
        narrow = not value.output and (not singles or self._may_be_widened(numbers, singles))
        if not narrow and all(is_indifferent(use) for use in others):
            return
        limits = [use for use in others if use.operator.kind in SATURATES]
        others = [use for use in others if use not in limits]
        if narrow:
            self.gone.add(value)
            self.graph.tensors.pop(value.name, None)
        keeps_name = narrow and not (limits and others) and value.scope.outer is None
        if limits:
            self._store(value, numbers, limits, LARGEST, keeps_name)
        if others or (singles and narrow):
            name = self._store(value, numbers, others, HIDDEN, keeps_name)
            if singles and narrow:
                wide = self._fresh(f"{value.name}.float32")
                self.first.append(_node("Cast", [name], wide, to=FLOAT))
                _rename(singles, wide)

    def write(self) -> None:
        """Put the nodes back, and what was added between them."""
        for operator in self.flow.operators:
            if operator not in self.single and (operator.floats_in or operator.floats_out):
                _retype(operator)
        for scope in reversed(self.flow.scopes):  # branches before what they are a copy in
            nodes = list(self.first) if scope.outer is None else []
            for node, holder in scope.items:
                if isinstance(holder, Operator):
                    nodes += [node, *self.after[holder]]
                elif holder not in self.gone:
                    nodes.append(node)
            if scope.outer is None:
                self.graph.nodes = nodes
            else:
                self._write_branch(scope, nodes)
        stored = {name for name, tensor in self.graph.tensors.items() if tensor.dtype == "float16"}
        self.graph.inputs = [item for item in self.graph.inputs if item.name not in stored]

    def _write_branch(self, scope: Scope, nodes: list[Any]) -> None:
        kept = [
            item for item in scope.proto.initializer if scope.values[item.name] not in self.gone
        ]
        for field_name, items in (("node", nodes), ("initializer", kept)):
            copies = [type(item).FromString(item.SerializeToString()) for item in items]
            scope.proto.ClearField(field_name)
            getattr(scope.proto, field_name).extend(copies)
        scope.proto.ClearField("value_info")

    def _may_be_widened(self, numbers: Tensor, singles: list[Use]) -> bool:
        """Whether float32 uses of a constant may take it from its float16 form."""
        exact = any(
            self.known[use.operator] is Origin.COMPUTED or use.operator.node.op_type in _ENCLOSING
            for use in singles
        )
        return int(np.prod(numbers.shape, dtype=np.int64)) > _SMALL and not exact

    def _store(
        self, value: Value, numbers: Tensor, uses: list[Use], most: float, keeps_name: bool
    ) -> str:
        """Add a constant's float16 form."""
        name = value.name if keeps_name else self._fresh(f"{value.name}.float16")
        kinds = {use.operator.kind for use in uses if not is_indifferent(use)}
        scalar = kinds <= MOVES | SATURATES | {"Where"}
        table = kinds <= MOVES - {"Gather"} | {"Add", "Min", "Where"}
        masks = scalar if value.scalar is not None else table and len(numbers.shape) > 1

        def read(rows: slice) -> Array:
            return halves(numbers.name, numbers.read(rows), most if masks else 0)

        self.graph.tensors[name] = evolve(numbers, name=name, dtype=np.dtype("float16"), read=read)
        _rename(uses, name)
        return name

    def _cast(self, value: Value, name: str, kind: int) -> str:
        """Cast a value where it is made."""
        cast = self._fresh(f"{value.name}.{'float16' if kind == FLOAT16 else 'float32'}")
        self._where(value).append(_node("Cast", [name], cast, to=kind))
        return cast

    def _bounded(self, value: Value) -> str:
        """The value, within what may be added up in float16 if it is a mask's."""
        maker = value.maker
        if maker is None or self.known[maker] is Origin.ACTIVATION or not is_large(value, set()):
            return value.name
        name = self._fresh(f"{value.name}.bounded")
        if self.graph.opset < 11:
            node = _node("Clip", [value.name], name, min=-HIDDEN, max=HIDDEN)
        else:
            ends = [self.graph.constant(end, "float32") for end in (-HIDDEN, HIDDEN)]
            node = _node("Clip", [value.name, *ends], name)
        self._where(value).append(node)
        return name

    def _where(self, value: Value) -> list[Any]:
        return self.first if value.maker is None else self.after[value.maker]

    def _fresh(self, name: str) -> str:
        while name in self.names:
            name += "'"
        self.names.add(name)
        return name


def _inside_a_loop(use: Use) -> bool:
    closed = use.operator.closed
    return closed is not None and use.place >= closed


def _rename(uses: list[Use], name: str) -> None:
    for use in uses:
        node, place = use.operator.node, use.place
        if place < len(node.input):
            node.input[place] = name
            continue
        bodies = [item.g for item in node.attribute if item.HasField("g")]
        body, place = divmod(place - len(node.input), len(bodies[0].output))
        bodies[body].output[place].name = name


def _retype(operator: Operator) -> None:
    """Say float16 where a node says float32."""
    for item in operator.node.attribute:
        if operator.kind == "Cast" and item.name == "to" and operator.floats_out:
            item.i = FLOAT16
        if operator.kind == "If":
            for info, value in zip(item.g.output, operator.outputs, strict=True):
                if value is not None and value.kind == FLOAT:
                    info.type.tensor_type.elem_type = FLOAT16


def _node(kind: str, inputs: list[str], output: str, **attributes: Any) -> Any:
    from onnx import helper

    return helper.make_node(kind, inputs, [output], f"{kind}/{output}", **attributes)
