"""BGE-M3's heads for sparse and multi-vector search, as further outputs of the encoder's graph.

Chen et al. 2024, arXiv:2402.03216; the arithmetic is that of FlagEmbedding's ``modeling.py``.
"""

from __future__ import annotations

from hotbed.models.folder import ModelFolder
from hotbed.models.heads import NORM_FLOOR
from hotbed.models.token_heads import COLBERT, SPARSE, Linear, read_linear
from hotbed_onnx.graph import Graph

__all__ = ["add_token_heads"]


def add_token_heads(graph: Graph, folder: ModelFolder, tokens: str, mask: str, hidden: int) -> None:
    """Declare an output for each head that the folder holds; both are zero on padding.

    ``sparse`` is (batch, tokens) float32: a weight, at least 0, for each token. ``colbert`` is
    (batch, tokens, d) float32: a vector of length 1 for each. Which tokens count is not asked
    here: special ones have weights, and the first one has a vector.

    Args:
        graph: The graph.
        folder: The model folder.
        tokens: Token embeddings, (batch, tokens, hidden) float32.
        mask: (batch, tokens) int64, 0 on padding.
        hidden: Their width.

    Raises:
        ModelError: A head's file cannot be read, or does not fit.
    """
    grid = ("batch_size", "sequence_length")
    heads = {name: folder.path / file for name, file in folder.token_heads.items()}
    if not heads:
        return
    seen = graph.op("Unsqueeze", graph.op("Cast", mask, to=1), graph.constant([2], "int64"))
    if SPARSE in heads:
        layer = read_linear(heads[SPARSE], hidden, 1)
        weights = graph.op("Relu", _linear(graph, SPARSE, tokens, layer))
        weights = graph.op("Mul", weights, seen)
        flat = graph.op("Squeeze", weights, graph.constant([2], "int64"))
        graph.output(flat, SPARSE, "float32", grid)
    if COLBERT in heads:
        layer = read_linear(heads[COLBERT], hidden)
        vectors = graph.op("Mul", _linear(graph, COLBERT, tokens, layer), seen)
        norm = graph.op("ReduceL2", vectors, axes=[-1], keepdims=1)
        floor = graph.constant(NORM_FLOOR, "float32")
        vectors = graph.op("Div", vectors, graph.op("Max", norm, floor))
        graph.output(vectors, COLBERT, "float32", (*grid, layer.bias.size))


def _linear(graph: Graph, name: str, x: str, layer: Linear) -> str:
    kernel = layer.weight.T
    weight = graph.weight(f"{name}.kernel", kernel.shape, lambda: kernel)
    bias = graph.weight(f"{name}.bias", layer.bias.shape, lambda: layer.bias)
    return graph.op("Add", graph.op("MatMul", x, weight), bias)
