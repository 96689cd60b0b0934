"""The values that cross the border between the core and a backend."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from attrs import field, frozen, validators
from numpy.typing import NDArray

__all__ = [
    "POOLING_MODES",
    "Artifact",
    "ConvertTarget",
    "Layer",
    "LoadOptions",
    "Loaded",
    "Pooling",
    "Probe",
    "ProbeRequest",
    "Recipe",
    "TokenBatch",
    "Variant",
]

POOLING_MODES = ("cls", "max", "mean", "mean_sqrt_len_tokens", "weightedmean", "lasttoken")


@frozen(kw_only=True)
class Variant:
    """One runnable file of a model folder.

    Attributes:
        format: ``onnx``, ``safetensors``, …
        file: Its path inside the folder, with forward slashes; inside ``out`` where a hook says
            what it wrote.
        storage: What its weights are: ``float32``, ``float16``, ``int8``, ``q4``, … or ``unknown``.
        profile: For whom the graph was shaped; ``""`` where the format holds no graph.
        note: What the file name says beyond that, in words.
    """

    format: str
    file: str
    storage: str = "unknown"
    profile: str = ""
    note: str = ""


@frozen(kw_only=True)
class Artifact:
    """A model folder with one chosen variant.

    Attributes:
        folder: The model folder: tokenizer, configuration, modules.
        path: The variant's file. It may lie in the cache instead of the folder.
        variant: What that file is.
    """

    folder: Path
    path: Path
    variant: Variant


@frozen(kw_only=True)
class ProbeRequest:
    """What a backend is asked before it is chosen.

    Attributes:
        action: ``embed``, ``convert`` or ``quantize``.
        device: Where it would work, e.g. ``cpu`` or ``cuda:1``.
        dtype: The arithmetic it would be asked for; None where none was named.
        folder: The model folder; None when only the runtime is asked about. Of a model on the hub,
            only the small files may be there yet.
    """

    action: str
    device: str
    dtype: str | None = None
    folder: Path | None = None


@frozen(kw_only=True)
class Probe:
    """A backend's answer: can it serve, and if not, why and what mends it.

    Attributes:
        ok: Whether the backend can serve the request on this machine.
        reason: What was found: versions, devices; or what is missing.
        fix: A command or a step that mends it.
        optional: Whether what is missing belongs to an extra that was not asked for. Then nothing
            is wrong with the installation, and ``hotbed doctor`` has nothing to mend.
    """

    ok: bool
    reason: str = ""
    fix: str = ""
    optional: bool = False


@frozen(kw_only=True)
class LoadOptions:
    """How to open an artifact.

    Attributes:
        device: The device chosen, e.g. ``cpu`` or ``cuda:1``.
        dtype: The arithmetic asked for, one of the capability's ``dtypes``.
        threads: Threads for one call; None leaves it to the CPU quota of the process.
        backend: The backend's name. The core fills it in, for wrappers to read.
    """

    device: str = "cpu"
    dtype: str = "float32"
    threads: int | None = None
    backend: str = ""


@frozen(kw_only=True)
class Loaded:
    """An open model and the facts about it.

    Attributes:
        handle: The backend's own object. It must stand calls from several threads at once.
        device: Where it really runs.
        provider: What really runs it, in the runtime's own words.
        dtype: The arithmetic it really does.
        outputs: Names that ``hotbed_embed`` can be asked for.
        dimension: Width of ``sentence_embedding``, or of ``token_embeddings`` where that is all.
        takes_pooling_mask: Whether ``sentence_embedding`` obeys ``TokenBatch.pooling_mask``.
        batch_dependent: Whether a row's result depends on the other rows of its batch.
        masks_padding: Whether a row's result is the same however much padding stands beside it.
            False: batches hold rows of one length, and padding is never made. None: the core runs a
            text alone and padded when the model is opened, and sees.
        token_budget: Padded tokens in one batch at which this engine works best.
        lanes: Batches that it likes to have in flight at once, when there are many. Above 1, the
            core calls ``hotbed_embed`` from that many threads and says so in ``in_flight``.
        nbytes: Bytes of weights held, where the backend knows.
        facts: Anything else worth showing, as (name, value).
        backend: The backend's name. The core fills it in, for wrappers to read.
    """

    handle: Any
    device: str
    provider: str
    dtype: str
    outputs: tuple[str, ...]
    dimension: int
    takes_pooling_mask: bool = False
    batch_dependent: bool = False
    masks_padding: bool | None = None
    token_budget: int = 1024
    lanes: int = 1
    nbytes: int | None = None
    facts: tuple[tuple[str, str], ...] = ()
    backend: str = ""


@frozen(kw_only=True, eq=False)
class TokenBatch:
    """Tokenised texts, padded to one length. All arrays are (batch, tokens) int64, C-contiguous.

    Attributes:
        input_ids: Token numbers; padding holds the tokenizer's padding id.
        attention_mask: 1 on tokens, 0 on padding.
        pooling_mask: 1 on tokens that pooling counts: ``attention_mask`` less the prompt, where
            the model leaves the prompt out.
    """

    input_ids: NDArray[np.int64]
    attention_mask: NDArray[np.int64]
    pooling_mask: NDArray[np.int64]

    @property
    def masks_differ(self) -> bool:
        """Whether pooling leaves tokens out that attention sees."""
        return self.pooling_mask is not self.attention_mask


@frozen(kw_only=True)
class Pooling:
    """How token embeddings become one vector.

    Attributes:
        modes: One or more of ``POOLING_MODES``; their results are joined in this order.
        include_prompt: Whether prompt tokens count.
    """

    modes: tuple[str, ...] = field(
        default=("mean",),
        validator=validators.deep_iterable(validators.in_(POOLING_MODES)),
    )
    include_prompt: bool = True


@frozen(kw_only=True)
class ConvertTarget:
    """What to write.

    Attributes:
        format: The format, e.g. ``onnx``.
        profile: The graph profile, e.g. ``portable``.
        dtype: The weights' type in the file.
        stem: The file name without its ending, e.g. ``model``.
    """

    format: str = "onnx"
    profile: str = "portable"
    dtype: str = "float32"
    stem: str = "model"


@frozen(kw_only=True)
class Layer:
    """A part of a model that a recipe can treat by itself.

    Attributes:
        name: What ``Recipe.options["layers"]`` calls it.
        kind: ``linear``, or ``table`` for embeddings that rows are taken from.
        inputs: Units read; of a table, its rows.
        outputs: Units given.
    """

    name: str
    kind: str = field(default="linear", validator=validators.in_(("linear", "table")))
    inputs: int
    outputs: int


@frozen(kw_only=True)
class Recipe:
    """A way to quantise: one of the capability's ``recipes``, and its options.

    Attributes:
        name: The recipe.
        options: Numbers and switches that the recipe knows.
        stem: The name of the file to write, without its ending; ``""`` leaves it to the backend.
    """

    name: str
    options: Mapping[str, Any] = field(factory=dict)
    stem: str = ""
