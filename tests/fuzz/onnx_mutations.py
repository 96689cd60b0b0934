"""Changes of ONNX graphs that know what a graph is; the result goes to native code."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

from tests.fuzz.mutation import MEANING, Mutation, NotApplicableError, Place

__all__ = ["GRAPHS"]

_OPERATORS = (
    *("Identity", "Cos", "Gather", "MatMul", "Reshape", "Expand", "Tile", "Range", "Loop", "If"),
    *("Scan", "ConstantOfShape", "Conv", "LSTM", "TopK", "NonZero", "Resize", "StringNormalizer"),
    *(
        "Einsum",
        "SequenceAt",
        "RandomNormal",
        "DequantizeLinear",
        "Attention",
        "NoSuchOperator",
        "",
    ),
    *("Softmax", "LayerNormalization", "Pad", "Slice", "Split", "Concat", "Unsqueeze", "Where"),
)
_SIZES = (-(2**63), -1, 0, 1, 2, 3, 1 << 16, 1 << 31, 1 << 40, 2**63 - 1)
_NAMES = (
    "",
    "input_ids",
    "table",
    "x\x1b[31m",
    "a" * 10_000,
    "../x",
    "sentence_embedding",
    "\u202e",
)


def _graph(change: Callable[[Random, Any, Place], str]) -> Callable[[Random, Place], str]:
    def act(rng: Random, place: Place) -> str:
        import onnx

        try:
            model = onnx.ModelProto.FromString(place.file.read_bytes())
        except Exception as error:  # protobuf has an exception of its own in each version
            raise NotApplicableError("no graph any more") from error
        if not model.graph.node:
            raise NotApplicableError("an empty graph")
        told = change(rng, model, place)
        place.file.write_bytes(model.SerializeToString())
        return told

    return act


def _operator(rng: Random, model: Any, place: Place) -> str:
    del place
    node = rng.choice(model.graph.node)
    old = node.op_type
    if rng.random() < 0.2:
        node.domain = rng.choice(("com.microsoft", "ai.onnx.ml", "com.evil", "ai.onnx.training"))
        return f"{old} is of {node.domain}"
    node.op_type = rng.choice(_OPERATORS)
    return f"{old} becomes {node.op_type!r}"


def _wires(rng: Random, model: Any, place: Place) -> str:
    del place
    nodes = model.graph.node
    node = rng.choice(nodes)
    way = rng.randrange(6)
    if way == 0 and node.input:
        node.input[rng.randrange(len(node.input))] = rng.choice(rng.choice(nodes).output or [""])
    elif way == 1 and node.input:
        del node.input[rng.randrange(len(node.input))]
    elif way == 2:
        node.input.append(rng.choice(("", "input_ids", "nothing", node.output[0])))
    elif way == 3:
        nodes.remove(node)
    elif way == 4:
        nodes.append(rng.choice(nodes))
    else:
        node.output[0] = rng.choice(_NAMES)
    return f"wires of {node.op_type}, way {way}"


def _attribute(rng: Random, model: Any, place: Place) -> str:
    del place
    from onnx import helper

    node = rng.choice([n for n in model.graph.node if n.attribute] or list(model.graph.node))
    name = rng.choice([a.name for a in node.attribute] or ["axis"])
    kept = [a for a in node.attribute if a.name != name]
    value = rng.choice((*_SIZES, 0.5, float("nan"), 1e38, "x", [1] * 1000, [0.0], ["a"], b"\xff"))
    del node.attribute[:]
    node.attribute.extend([*kept, helper.make_attribute(name, value)])
    return f"{node.op_type}.{name} = {str(value)[:40]}"


def _tensor(rng: Random, model: Any, place: Place) -> str:
    del place
    if not model.graph.initializer:
        raise NotApplicableError("no tensors")
    tensor = rng.choice(model.graph.initializer)
    way = rng.randrange(6)
    if way == 0:
        dims = list(tensor.dims) or [1]
        dims[rng.randrange(len(dims))] = rng.choice(_SIZES)
        del tensor.dims[:]
        tensor.dims.extend(dims)
        return f"{tensor.name} is {dims}"
    if way == 1:
        tensor.raw_data = rng.choice((b"", tensor.raw_data[:-1], tensor.raw_data + b"\x00" * 8))
    elif way == 2:
        tensor.data_type = rng.choice((0, 1, 2, 6, 7, 8, 9, 10, 11, 14, 16, 17, 21, 22, 99, -1))
    elif way == 3:
        tensor.name = rng.choice(_NAMES)
    elif way == 4:
        model.graph.initializer.append(tensor)
    else:
        model.graph.initializer.remove(tensor)
    return f"the tensor {tensor.name[:40]}, way {way}"


def _external(rng: Random, model: Any, place: Place) -> str:
    if not model.graph.initializer:
        raise NotApplicableError("no tensors")
    tensor = rng.choice(model.graph.initializer)
    secret = str(place.outside / ".ssh" / "id_rsa")
    location = rng.choice(
        (
            "../secret",
            secret,
            "/dev/zero",
            "/proc/self/environ",
            place.file.name,
            "nothing",
            "",
            ".",
        )
    )
    link = rng.random() < 0.2
    if link:
        location = "data.bin"
        (place.file.parent / location).unlink(missing_ok=True)
        (place.file.parent / location).symlink_to(rng.choice((secret, "/dev/zero")))
    tensor.ClearField("raw_data")
    tensor.data_location = 1
    del tensor.external_data[:]
    for key, value in (
        ("location", location),
        ("offset", str(rng.choice((0, 0, 1, -1, 2**40, 2**63, "x")))),
        ("length", str(rng.choice((0, 4, 1 << 20, -1, 2**40, 2**64, "")))),
    ):
        if key == "location" or rng.random() < 0.6:
            tensor.external_data.add(key=key, value=value)
    told = [f"{entry.key}={entry.value[-30:]}" for entry in tensor.external_data]
    return f"{tensor.name} lies outside: {', '.join(told)}{' (a link)' * link}"


def _interface(rng: Random, model: Any, place: Place) -> str:
    del place
    info = rng.choice([*model.graph.input, *model.graph.output])
    way = rng.randrange(5)
    shape = info.type.tensor_type.shape
    if way == 0 and shape.dim:
        dimension = rng.choice(shape.dim)
        dimension.dim_value = rng.choice(_SIZES)
    elif way == 1:
        info.name = rng.choice(("input_ids", "attention_mask", "past_key_values", *_NAMES))
    elif way == 2:
        info.type.tensor_type.elem_type = rng.choice((0, 1, 6, 7, 8, 9, 10, 11, 16, 99))
    elif way == 3:
        info.type.tensor_type.ClearField("shape")
    else:
        target = model.graph.input if rng.random() < 0.5 else model.graph.output
        target.append(info)
    return f"{info.name[:40]}, way {way}"


def _frame(rng: Random, model: Any, place: Place) -> str:
    del place
    way = rng.randrange(7)
    if way == 0:
        model.ir_version = rng.choice((0, 1, 3, 99, 2**62, -1))
    elif way == 1:
        model.opset_import[0].version = rng.choice((0, 1, 7, 99, 2**62, -1))
    elif way == 2:
        del model.opset_import[:]
    elif way == 3:
        model.opset_import.add(domain=rng.choice(("", "com.evil")), version=1)
    elif way == 4:
        model.metadata_props.add(key="\x1b[31m", value="[bold]" * 1000)
    elif way == 5:
        model.graph.name = rng.choice(_NAMES)
    else:
        model.ClearField("graph")
    return f"the frame, way {way}"


def _bomb(rng: Random, model: Any, place: Place) -> str:
    """A node that makes gigabytes out of nothing, before the output."""
    del place
    from onnx import helper, numpy_helper

    output = model.graph.output[0].name
    last = next((n for n in model.graph.node if output in n.output), None)
    if last is None:
        raise NotApplicableError("no output")
    import numpy as np

    size = rng.choice((1 << 28, 1 << 33, 1 << 40))
    model.graph.initializer.append(numpy_helper.from_array(np.array([size], np.int64), "fuzz_size"))
    names = [name if name != output else "fuzz_kept" for name in last.output]
    del last.output[:]
    last.output.extend(names)
    model.graph.node.extend(
        [
            helper.make_node("ConstantOfShape", ["fuzz_size"], ["fuzz_zeros"]),
            helper.make_node("ReduceMax", ["fuzz_zeros"], ["fuzz_most"], keepdims=0),
            helper.make_node("Add", ["fuzz_kept", "fuzz_most"], [output]),
        ]
    )
    return f"{size:,} zeros on the way"


def _loop(rng: Random, model: Any, place: Place) -> str:
    """A loop that does not end in our lifetime, before the output."""
    del place
    import numpy as np
    from onnx import TensorProto, helper, numpy_helper

    output = model.graph.output[0].name
    last = next((n for n in model.graph.node if output in n.output), None)
    if last is None:
        raise NotApplicableError("no output")
    times = rng.choice((2**40, 2**63 - 1))
    names = [name if name != output else "fuzz_kept" for name in last.output]
    del last.output[:]
    last.output.extend(names)
    body = helper.make_graph(
        [
            helper.make_node("Identity", ["go"], ["go_on"]),
            helper.make_node("Identity", ["value"], ["next"]),
        ],
        "body",
        [
            helper.make_tensor_value_info("turn", TensorProto.INT64, []),
            helper.make_tensor_value_info("go", TensorProto.BOOL, []),
            helper.make_tensor_value_info("value", TensorProto.FLOAT, None),
        ],
        [
            helper.make_tensor_value_info("go_on", TensorProto.BOOL, []),
            helper.make_tensor_value_info("next", TensorProto.FLOAT, None),
        ],
    )
    model.graph.initializer.append(numpy_helper.from_array(np.array(times, np.int64), "fuzz_times"))
    model.graph.node.append(
        helper.make_node("Loop", ["fuzz_times", "", "fuzz_kept"], [output], body=body)
    )
    return f"a loop of {times} turns"


GRAPHS = [
    Mutation(name="operator", act=_graph(_operator), effect=MEANING, weight=3),
    Mutation(name="wires", act=_graph(_wires), effect=MEANING, weight=3),
    Mutation(name="attribute", act=_graph(_attribute), effect=MEANING, weight=2),
    Mutation(name="graph tensor", act=_graph(_tensor), effect=MEANING, weight=3),
    Mutation(name="external", act=_graph(_external), effect=MEANING, weight=2),
    Mutation(name="interface", act=_graph(_interface), effect=MEANING, weight=3),
    Mutation(name="frame", act=_graph(_frame), effect=MEANING, weight=2),
    Mutation(name="graph bomb", act=_graph(_bomb), effect=MEANING, weight=0.5),
    Mutation(name="loop", act=_graph(_loop), effect=MEANING, weight=0.3),
]
