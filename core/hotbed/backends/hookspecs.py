"""The contract between the core and a backend.

A backend is a module (the value of an entry point in the group ``hotbed.backends``) that holds
``HOTBED = Manifest(...)`` and any of these functions, marked with ``@hotbed.backends.hookimpl``.
It implements only what its manifest declares. An implementation names the arguments it wants;
arguments added later break nobody. Parameters must not have defaults.

Every hook is called with exactly one backend behind it, so ``None`` means "not implemented", and
is an error wherever the manifest declared the action. Wrappers (group ``hotbed.wrappers``) see
every call of every backend.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pluggy
from numpy.typing import NDArray

from hotbed.backends.values import (
    Artifact,
    ConvertTarget,
    Loaded,
    LoadOptions,
    Pooling,
    Probe,
    ProbeRequest,
    Recipe,
    TokenBatch,
    Variant,
)

__all__ = ["PROJECT", "HotbedSpec", "hookimpl", "hookspec"]

PROJECT = "hotbed"
hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


class HotbedSpec:
    """The hooks. All but ``hotbed_close`` give the first result that is not None."""

    @hookspec(firstresult=True)
    def hotbed_probe(self, request: ProbeRequest) -> Probe | None:
        """Say whether this machine can serve the request. Cheap: no model is opened.

        Called by selection, for survivors of the other stages, best rank first. Without an
        implementation the core checks that the manifest's ``needs`` can be found.
        """

    @hookspec(firstresult=True)
    def hotbed_load(self, artifact: Artifact, options: LoadOptions) -> Loaded | None:
        """Open an artifact.

        Called once for an embedder. Must use the device and arithmetic asked for, or raise.
        """

    @hookspec(firstresult=True)
    def hotbed_embed(
        self, loaded: Loaded, batch: TokenBatch, outputs: tuple[str, ...], in_flight: int
    ) -> dict[str, NDArray[np.float32]] | None:
        """Run one batch and give the outputs asked for, by name.

        ``sentence_embedding`` is (batch, dimension) float32, ``token_embeddings`` is
        (batch, tokens, hidden) float32; rows in the batch's order. Called from several threads.
        ``in_flight`` is how many batches the core runs at once: 1, or ``Loaded.lanes``.
        """

    @hookspec(firstresult=True)
    def hotbed_pool(
        self,
        loaded: Loaded,
        token_embeddings: NDArray[np.float32],
        attention_mask: NDArray[np.int64],
        pooling_mask: NDArray[np.int64],
        pooling: Pooling,
    ) -> NDArray[np.float32] | None:
        """Pool (batch, tokens, hidden) float32 to (batch, hidden × modes) float32.

        Called only when the model's graph did not pool. None hands it to the core's own.
        ``attention_mask`` tells where padding is: positions count from the first token.
        """

    @hookspec(firstresult=True)
    def hotbed_convert(
        self, folder: Path, target: ConvertTarget, out: Path
    ) -> tuple[Variant, ...] | None:
        """Write the model folder in another format into ``out``, an empty staging folder.

        Give the variants written, their ``file`` relative to ``out``. The core checks the result
        and publishes it; nothing is visible before that.
        """

    @hookspec(firstresult=True)
    def hotbed_quantize(
        self, artifact: Artifact, recipe: Recipe, batches: Sequence[TokenBatch], out: Path
    ) -> tuple[Variant, ...] | None:
        """Write a quantised form of the artifact into ``out``; otherwise as ``hotbed_convert``.

        ``batches`` are the calibration texts, tokenised as ``hotbed_embed`` will see texts.
        """

    @hookspec
    def hotbed_close(self, loaded: Loaded) -> None:
        """Free what ``hotbed_load`` opened. Called at most once for each handle."""
