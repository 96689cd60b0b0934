"""What the core answers where a backend does not: pooling in numpy, and that it knows no layers."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hotbed.backends.hookspecs import hookimpl
from hotbed.backends.values import Artifact, Layer, Pooling
from hotbed.models.pooling import pool

__all__ = ["CoreDefaults"]


class CoreDefaults:
    """Registered behind every backend; asked when the backend gives None."""

    @hookimpl(trylast=True)
    def hotbed_pool(
        self,
        token_embeddings: NDArray[np.float32],
        attention_mask: NDArray[np.int64],
        pooling_mask: NDArray[np.int64],
        pooling: Pooling,
    ) -> NDArray[np.float32]:
        """Pool in numpy."""
        return pool(token_embeddings, attention_mask, pooling_mask, pooling)

    @hookimpl(trylast=True)
    def hotbed_layers(self, artifact: Artifact) -> tuple[Layer, ...]:
        """Name no layers: recipes are tried as wholes."""
        return ()
