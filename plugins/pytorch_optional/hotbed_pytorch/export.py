"""Trace a folder's network with PyTorch, and write it as plain ONNX."""

from __future__ import annotations

import contextlib
import io
import logging
import re
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hotbed.backends import ConvertTarget, Variant
from hotbed.errors import ConversionError, HotbedError, UnsupportedModelError
from hotbed.models import ModelFolder, read_folder
from hotbed_pytorch.checkpoint import weights_of
from hotbed_pytorch.network import open_network

__all__ = ["export_folder"]

_OPSET = 18
"""The newest that every runtime of hotbed's knows; also that of hotbed's own builder."""
_INPUTS = ("input_ids", "attention_mask")
_OUTPUTS = ("last_hidden_state", "sentence_embedding")
_AXES = {0: "batch_size", 1: "sequence_length"}
_EXAMPLE = (2, 9)
"""Rows and tokens of the batch that is traced. Neither 0 nor 1, which tracing takes for fixed."""
_NODE = re.compile(r"translating node %(\w+)")
_OPERATOR = re.compile(r"No ONNX function found for <OpOverload\(op='([\w.]+)'")
_LARGEST = 2**31 - 2**24
"""Bytes of weights that a file of protobuf holds, less what the graph takes."""


def export_folder(folder: Path, target: ConvertTarget, out: Path) -> tuple[Variant, ...]:
    """Write the folder's network, pooling and heads included, as ``out/<stem>.onnx``.

    Names of inputs and outputs are those of hotbed's own builder.

    Raises:
        UnsupportedModelError: transformers does not know the architecture, or an operator has no
            form in ONNX; the message names the operator and the node.
        ConversionError: PyTorch could not trace the network.
    """
    model = read_folder(folder)
    if (target.profile, target.dtype) != ("portable", "float32"):
        raise UnsupportedModelError(
            f"the PyTorch exporter writes the profile portable in float32, and "
            f"{target.profile} in {target.dtype} was asked for"
        )
    program = _traced(model)
    _refuse_foreign(model, program)
    path = out / f"{target.stem}.onnx"
    program.save(str(path), external_data=_bytes_of(program) > _LARGEST)
    return (Variant(format="onnx", file=path.name, storage="float32", profile="portable"),)


def _traced(model: ModelFolder) -> Any:
    import torch

    network = open_network(model, weights_of(model), torch.float32)

    class Graph(torch.nn.Module):  # type: ignore[misc]  # PyTorch is not imported where mypy runs
        def __init__(self) -> None:
            super().__init__()
            self.network = network

        def forward(self, input_ids: Any, attention_mask: Any) -> Any:
            return self.network(input_ids, attention_mask, attention_mask)

    ids = torch.ones(_EXAMPLE, dtype=torch.int64)
    mask = torch.ones(_EXAMPLE, dtype=torch.int64)
    mask[1, -2:] = 0  # so that no branch is taken for batches without padding
    try:
        with torch.no_grad(), _silence():
            return torch.onnx.export(
                Graph().eval(),
                (ids, mask),
                dynamo=True,
                opset_version=_OPSET,
                input_names=list(_INPUTS),
                output_names=list(_OUTPUTS),
                dynamic_shapes={name: dict(_AXES) for name in _INPUTS},
                verbose=False,
            )
    except Exception as error:  # the exporter raises what torch, onnxscript and the model raise
        raise _in_our_words(model, error) from error


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    """Keep the exporter's progress off standard output, and its warnings of itself away."""
    log = logging.getLogger("torch.onnx")
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        log.setLevel(level)


def _in_our_words(model: ModelFolder, error: Exception) -> HotbedError:
    """Find the operator, or else the sentence, in a chain of the exporter's errors."""
    chain = [error]
    while (cause := chain[-1].__cause__) is not None and isinstance(cause, Exception):
        chain.append(cause)
    ours = [link for link in chain if isinstance(link, HotbedError)]
    if ours:
        return ours[0]
    said = "\n".join(str(link) for link in chain)
    node, operator = _NODE.search(said), _OPERATOR.search(said)
    if operator:
        where = f"the node {node[1]!r}" if node else "a node"
        return UnsupportedModelError(
            f"{model.name} ({model.family}) cannot be written as ONNX: {where} is the operator "
            f"{operator[1]!r}, for which PyTorch's exporter has no form in opset {_OPSET}"
        )
    last = next((line for line in str(chain[-1]).splitlines() if line.strip()), "")
    return ConversionError(
        f"{model.name} ({model.family}) was not converted: PyTorch could not trace it: "
        f"{type(chain[-1]).__name__}: {last}"
    )


def _bytes_of(program: Any) -> int:
    held = program.model.graph.initializers.values()
    return sum(value.const_value.nbytes for value in held if value.const_value is not None)


def _refuse_foreign(model: ModelFolder, program: Any) -> None:
    """Refuse operators that only one runtime has: the profile promises plain ONNX."""
    for node in program.model.graph.all_nodes():
        if node.domain not in ("", "ai.onnx"):
            raise UnsupportedModelError(
                f"{model.name} ({model.family}) cannot be written as portable ONNX: the node "
                f"{node.name!r} is the operator {node.op_type!r} of {node.domain}, which plain "
                f"ONNX does not have"
            )
