"""A second engine to be timed: a text is the mean of its word vectors. No graph, only numpy."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hotbed.backends import (
    Artifact,
    Capability,
    Loaded,
    LoadOptions,
    Manifest,
    Pooling,
    TokenBatch,
    hookimpl,
)

HOTBED = Manifest(
    name="wordmean",
    hook_api=1,
    summary="The mean of the word vectors",
    capabilities=(Capability(action="embed", formats="safetensors", profiles=(), families="bert"),),
)


@hookimpl
def hotbed_load(artifact: Artifact, options: LoadOptions) -> Loaded:
    """Read the table of word vectors."""
    from safetensors.numpy import load_file

    table = load_file(artifact.path)["embeddings.word_embeddings.weight"]
    return Loaded(
        handle=table,
        device=options.device,
        provider="numpy",
        dtype=options.dtype,
        outputs=("token_embeddings",),
        dimension=table.shape[1],
        masks_padding=True,  # a word knows nothing of its neighbors
    )


@hookimpl
def hotbed_embed(loaded: Loaded, batch: TokenBatch) -> dict[str, NDArray[np.float32]]:
    """Look the words up."""
    return {"token_embeddings": loaded.handle[batch.input_ids]}


@hookimpl
def hotbed_pool(
    token_embeddings: NDArray[np.float32], pooling_mask: NDArray[np.int64], pooling: Pooling
) -> NDArray[np.float32] | None:
    """The mean; other ways of pooling are the core's."""
    if pooling.modes != ("mean",):
        return None
    weights = pooling_mask[:, :, None].astype(np.float32)
    total: NDArray[np.float32] = (token_embeddings * weights).sum(axis=1)
    return total / np.maximum(weights.sum(axis=1), 1)
