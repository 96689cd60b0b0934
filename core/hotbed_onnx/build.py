"""Build an ONNX model from a model folder: encoder, pooling and heads in one graph."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

from hotbed.errors import UnsupportedModelError
from hotbed.models.boundary import reading
from hotbed.models.folder import ModelFolder
from hotbed.models.weights import Weights
from hotbed_onnx.architectures.m3 import add_token_heads
from hotbed_onnx.checkpoint import Checkpoint
from hotbed_onnx.draft import Draft
from hotbed_onnx.families import BUILDER_VERSION, FAMILIES, PROFILES
from hotbed_onnx.graph import Graph
from hotbed_onnx.heads import add_heads
from hotbed_onnx.pooling import pool
from hotbed_onnx.profiles import emitter
from hotbed_onnx.switches import refuse_switches
from hotbed_onnx.writing import save

__all__ = ["build_model"]


def build_model(folder: ModelFolder, path: Path, *, profile: str) -> None:
    """Write the folder's model as ONNX.

    The graph takes ``input_ids`` and ``attention_mask`` and, where the model leaves its prompt out
    of pooling and the profile is a tuned one, ``pooling_mask``; it gives ``last_hidden_state`` and
    ``sentence_embedding``, float32, after every module of the folder; and what BGE-M3's further
    heads give, where the folder holds them.

    Args:
        folder: The model folder.
        path: The ``.onnx`` file to write.
        profile: ``portable`` keeps weights inside the file, as hub readers expect; tuned profiles
            put them beside it, where the runtime maps them.

    Raises:
        UnsupportedModelError: The family is not known, or something in the folder is not.
        ModelError: A file is missing or cannot be read.
    """
    if folder.family not in FAMILIES:
        raise UnsupportedModelError(
            f"{folder.name}: model_type {folder.family!r} is not known to the ONNX builder; "
            f"it knows {', '.join(FAMILIES)}. A backend that runs PyTorch may be able to export it"
        )
    if profile not in PROFILES:
        raise UnsupportedModelError(
            f"profile {profile!r} is not known; the ONNX builder writes {', '.join(PROFILES)}"
        )
    with reading(folder.path, "be built into a graph"):
        refuse_switches(folder.config, folder.family)
        _build(folder, path, profile)


def _build(folder: ModelFolder, path: Path, profile: str) -> None:
    emit = emitter(profile)
    graph = Graph(name=folder.name, opset=emit.opset)
    grid = ("batch_size", "sequence_length")
    ids = graph.input("input_ids", "int64", grid)
    mask = graph.input("attention_mask", "int64", grid)
    pooling = folder.pipeline.pooling
    pooling_mask = mask
    if profile != "portable" and not pooling.include_prompt:
        pooling_mask = graph.input("pooling_mask", "int64", grid)

    architecture = import_module(FAMILIES[folder.family])
    tensors = Checkpoint.open(Weights.open(folder.root), architecture.LAYOUT)
    longest = folder.max_seq_length or 0
    draft = Draft(graph=graph, emit=emit, tensors=tensors, longest=longest)
    tokens, hidden = architecture.encode(draft, folder.config, ids, mask)
    tensors.settle()
    graph.output(tokens, "last_hidden_state", "float32", (*grid, hidden))
    add_token_heads(graph, folder, tokens, mask, hidden)
    pooled = pool(graph, tokens, mask, pooling_mask, pooling)
    pooled = add_heads(graph, folder.path, pooled, folder.pipeline.heads)
    width = folder.pipeline.dimension(hidden)
    graph.output(pooled, "sentence_embedding", "float32", ("batch_size", width))
    metadata = {"hotbed.builder": str(BUILDER_VERSION), "hotbed.profile": profile}
    if budget := getattr(architecture, "TOKEN_BUDGET", None):
        metadata["hotbed.token_budget"] = str(budget)
    save(graph, path, external=profile != "portable", metadata=metadata)
