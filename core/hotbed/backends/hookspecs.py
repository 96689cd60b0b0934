"""The contract between the core and a backend.

A backend is a module (the value of an entry point in the group ``hotbed.backends``) that holds
``HOTBED = Manifest(...)`` and any of these functions, marked with ``@hotbed.backends.hookimpl``.
It implements only what its manifest declares. An implementation names the arguments it wants;
arguments added later break nobody. Parameters must not have defaults.

Every hook is called with exactly one backend behind it, so ``None`` means "not implemented", and
is an error wherever the manifest declared the action. Wrappers (group ``hotbed.wrappers``) see
every call of every backend.

A hook raises what ``hotbed.errors`` has for the case. Anything else reaches the user as a
``BackendError`` that names the plugin, its version and the hook.
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
    Layer,
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

        Called by selection, for survivors of the other stages, best rank first; the same question
        is asked once in a process. Without an implementation the core checks that the manifest's
        ``needs`` can be found. An error raised here is a "no" that shows the error.
        """

    @hookspec(firstresult=True)
    def hotbed_load(self, artifact: Artifact, options: LoadOptions) -> Loaded | None:
        """Open an artifact.

        Called once for an embedder, and once more where it is opened again after a fork or in
        another process. Must use the device and the arithmetic asked for, or raise: ``DeviceError``
        where it would run elsewhere, ``MissingFileError`` or ``CorruptFileError`` where the file
        is not there or cannot be read, ``UnsupportedModelError`` where it can and is not for this
        engine.
        """

    @hookspec(firstresult=True)
    def hotbed_embed(
        self, loaded: Loaded, batch: TokenBatch, outputs: tuple[str, ...], in_flight: int
    ) -> dict[str, NDArray[np.float32]] | None:
        """Run one batch and give the outputs asked for, by name.

        ``sentence_embedding`` is (batch, dimension) float32, ``token_embeddings`` is
        (batch, tokens, hidden) float32; rows in the batch's order. A model that has them may offer
        ``sparse``, a weight of at least 0 for each token, (batch, tokens) float32, and ``colbert``,
        a vector of length 1 for each, (batch, tokens, d) float32; both for special tokens too, and
        0 on padding. ``outputs`` holds names of ``Loaded.outputs`` only. Called from several
        threads. ``in_flight`` is how many batches the core runs at once: 1, or ``Loaded.lanes``.
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

        Called only when ``hotbed_embed`` gave token embeddings, because the graph does not pool or
        cannot leave the prompt out. None hands it to the core, which knows all modes.
        ``attention_mask`` tells where padding is: positions count from the first token.
        """

    @hookspec(firstresult=True)
    def hotbed_convert(
        self, folder: Path, target: ConvertTarget, out: Path
    ) -> tuple[Variant, ...] | None:
        """Write the model folder in another format into ``out``, an empty staging folder.

        Give the variants written, their ``file`` relative to ``out``, named after
        ``target.stem``. ``folder`` is only read: it may be the user's, or a cache's. The core
        checks the result, adds tokenizer and configuration, and publishes it; nothing is visible
        before that, and a failure leaves nothing.
        """

    @hookspec(firstresult=True)
    def hotbed_quantize(
        self, artifact: Artifact, recipe: Recipe, batches: Sequence[TokenBatch], out: Path
    ) -> tuple[Variant, ...] | None:
        """Write a quantised form of the artifact into ``out``; otherwise as ``hotbed_convert``.

        ``batches`` are the calibration texts, tokenised as ``hotbed_embed`` will see texts. A
        recipe that needs none leaves the argument out. A recipe whose capability has the feature
        ``layers`` takes the option ``layers``: a layer's name → ``float32``, which leaves it as it
        is, or another recipe with that feature.
        """

    @hookspec(firstresult=True)
    def hotbed_layers(self, artifact: Artifact) -> tuple[Layer, ...] | None:
        """Name the parts of the artifact that ``hotbed_quantize`` can treat by themselves.

        Called by the search of ``hotbed quantize``, for backends with a recipe whose capability
        has the feature ``layers``. Without it, recipes are tried as wholes.
        """

    @hookspec
    def hotbed_close(self, loaded: Loaded) -> None:
        """Free what ``hotbed_load`` opened. Called at most once for each handle.

        A call in another thread may still be running; it should end well or raise. Never called in
        a forked child for a handle from before the fork.
        """
