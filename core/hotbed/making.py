"""``hotbed.convert`` and ``hotbed.quantize``: a new model folder, whole or not at all."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from attrs import evolve

from hotbed.backends.decision import Request
from hotbed.backends.values import ConvertTarget
from hotbed.conversion import convert_into
from hotbed.errors import NoBackendError, UsageError
from hotbed.loading import House, default_house
from hotbed.models.boundary import guarded
from hotbed.models.folder import ModelFolder
from hotbed.publishing import refuse_existing, replacing
from hotbed.quantisation import (
    Asked,
    Bounds,
    Found,
    Watch,
    Written,
    quantize_plainly,
    require,
    search,
)
from hotbed.sources import Located

__all__ = ["bounds_of", "convert", "quantize", "search_into"]

_LEAST_MEAN = 0.99
"""The mean cosine that is promised where no bound is given: what the gate asks of 8 bits."""


@guarded("be converted")
def convert(
    model: str | Path,
    out: str | Path,
    *,
    dtype: str | None = None,
    profile: str = "portable",
    to: str = "onnx",
    texts: Sequence[str] | None = None,
    with_weights: bool = False,
    accept_loss: bool = False,
    backend: str | None = None,
    overwrite: bool = False,
    revision: str | None = None,
    local_files_only: bool = False,
    watch: Watch | None = None,
    house: House | None = None,
) -> Written:
    """Convert a model to ONNX without PyTorch: a whole folder, ready to load.

    >>> made = hotbed.convert("all-MiniLM-L6-v2", "./minilm")  # doctest: +SKIP
    >>> made.converted.reports[0].overall.lowest  # doctest: +SKIP
    0.9999999

    Args:
        model: As for ``hotbed.load``.
        out: The folder to make.
        dtype: ``int8``, ``q8``, ``w8``, ``q4`` or ``fp16``, or a recipe's name, quantises; where
            the plain recipe is refused by the gate, layers are searched for that stay float32.
        profile: ``portable`` runs everywhere; ``cpu`` is tuned for ONNX Runtime.
        to: The format; ``safetensors`` makes one out of a ``.bin``, with PyTorch.
        texts: What the result is checked on; None means built-in ones. Of many, quantising takes
            a third to learn ranges from.
        with_weights: Whether the folder gets the safetensors as well.
        accept_loss: Whether to keep a result that is too far off.
        backend: The one backend to use.
        overwrite: Whether to replace a model folder that is there.
        revision: As for ``hotbed.load``.
        local_files_only: As for ``hotbed.load``.
        watch: Is told how far a search is.
        house: Settings and catalogs; None means those of the process.

    Raises:
        UsageError: An argument cannot be used, or ``out`` exists.
        NoBackendError: Nothing installed does that with the model.
        FidelityError: The result is too far from the model; nothing was written.
    """
    out = Path(out)
    refuse_existing(out, overwrite=overwrite)
    if dtype is not None and (with_weights or to != "onnx"):
        raise UsageError("quantising writes one ONNX file: leave with_weights and the format out")
    house, watch = house or default_house(), watch or _Nobody()
    located = house.locate(str(model), revision=revision, local_files_only=local_files_only)
    folder = house.read(located)
    target = ConvertTarget(format=to, profile=profile, stem=_stem(profile))
    with replacing(out) as place:
        if dtype is None:
            backend, target = _prepare(house, located, folder, target, backend)
            gate = house.gate(texts, accept_loss=accept_loss)
            engine = house.engine(backend)
            watch.step(f"{backend}: {to}")
            made = convert_into(engine, folder, target, place, gate, keep_weights=with_weights)
            done = Written(converted=made, backend=backend)
        else:
            done = quantize_plainly(
                house,
                located,
                folder,
                dtype,
                place,
                watch,
                texts=texts,
                backend=backend,
                profile=profile,
                accept_loss=accept_loss,
            )
    return evolve(done, converted=evolve(done.converted, path=out))


def _stem(profile: str) -> str:
    return "model" if profile == "portable" else f"model_{profile}"


def _prepare(
    house: House, located: Located, folder: ModelFolder, target: ConvertTarget, backend: str | None
) -> tuple[str, ConvertTarget]:
    """Choose who converts, and fetch what that one reads."""
    decision = house.decide(Request(action="convert", backend=backend, to=target.format), folder)
    chosen = decision.chosen
    if chosen is None or chosen.route is None:
        raise NoBackendError(f"nothing here can convert this:\n{decision.explain()}")
    if target.profile not in chosen.route.capability.profiles:
        profiles = ", ".join(chosen.route.capability.profiles)
        raise UsageError(f"profile {target.profile}: {chosen.backend} writes {profiles}")
    variant = chosen.route.variant
    located.fetch([variant.file, *folder.companions(variant), *folder.head_files])
    return chosen.backend, target


@guarded("be quantized")
def quantize(
    model: str | Path,
    out: str | Path,
    *,
    min_cosine: float | None = None,
    min_mean_cosine: float | None = None,
    max_size: int | None = None,
    min_speedup: float | None = None,
    texts: Sequence[str] | None = None,
    backends: Sequence[str] = (),
    recipes: Sequence[str] = (),
    profile: str = "",
    smallest: bool = False,
    allow_batch_dependent: bool = False,
    rounds: int = 3,
    trials: int = 12,
    seed: int = 0,
    remeasure: bool = False,
    overwrite: bool = False,
    revision: str | None = None,
    local_files_only: bool = False,
    watch: Watch | None = None,
    house: House | None = None,
) -> Found:
    """Find the fastest mix of 8- and 4-bit weights and float32 that keeps bounds, and write it.

    >>> found = hotbed.quantize("all-MiniLM-L6-v2", "./small", min_cosine=0.98)  # doctest: +SKIP
    >>> str(found.chosen.mix), round(found.chosen.held_out.lowest, 3)  # doctest: +SKIP
    ('24 static_int8 + 1 weights_4bit', 0.983)

    Args:
        model: As for ``hotbed.load``.
        out: The folder to make.
        min_cosine: Of every text to its float32 vector.
        min_mean_cosine: Mean of these; 0.99 where no bound on cosines is given.
        max_size: Bytes of the weights.
        min_speedup: Times as fast as float32 on this machine.
        texts: Texts like those that the model will see; None means built-in ones. A third each
            serves to learn ranges, to choose by, and to check the promise on.
        backends: Only these; none means all that are installed.
        recipes: Only these; none means all.
        profile: The graph profile to start from; ``""`` leaves it to each backend.
        smallest: Whether the smallest is looked for, and not the fastest.
        allow_batch_dependent: Whether a text's vector may depend on the texts beside it.
        rounds: Rounds in which a candidate is timed.
        trials: Mixes that are tried at most.
        seed: Decides which text serves for what. The same seed gives the same answer on the same
            machine: speeds that were measured are remembered.
        remeasure: Whether to measure them again.
        overwrite: Whether to replace a model folder that is there.
        revision: As for ``hotbed.load``.
        local_files_only: As for ``hotbed.load``.
        watch: Is told how far it is.
        house: Settings and catalogs; None means those of the process.

    Returns:
        Everything that was tried, and what was chosen.

    Raises:
        UsageError: A bound or the texts cannot be used, or ``out`` exists.
        NoBackendError: Nothing installed can quantise the model.
        BoundsError: Nothing keeps the bounds; the nearest are named, and nothing was written.
    """
    bounds = bounds_of(min_cosine, min_mean_cosine, max_size, min_speedup)
    asked = Asked(
        bounds=bounds,
        texts=texts,
        backends=tuple(backends),
        recipes=tuple(recipes),
        profile=profile,
        smallest=smallest,
        dependent=allow_batch_dependent,
        rounds=rounds,
        trials=trials,
        seed=seed,
        remeasure=remeasure,
    )
    found = search_into(
        model,
        out,
        asked,
        overwrite=overwrite,
        revision=revision,
        local_files_only=local_files_only,
        watch=watch,
        house=house,
    )
    require(found)
    return found


def bounds_of(
    min_cosine: float | None,
    min_mean_cosine: float | None,
    max_size: int | None,
    min_speedup: float | None,
) -> Bounds:
    """The promise; where nothing is said of cosines, their mean has to reach 0.99."""
    if min_cosine is None and min_mean_cosine is None:
        min_mean_cosine = _LEAST_MEAN
    return Bounds(
        min_cosine=min_cosine,
        min_mean_cosine=min_mean_cosine,
        max_size=max_size,
        min_speedup=min_speedup,
    )


def search_into(
    model: str | Path,
    out: str | Path,
    asked: Asked,
    *,
    overwrite: bool = False,
    revision: str | None = None,
    local_files_only: bool = False,
    watch: Watch | None = None,
    house: House | None = None,
) -> Found:
    """Search as ``quantize`` does, and give what was tried where nothing keeps the bounds as well.

    Args:
        model: As for ``hotbed.load``.
        out: The folder to make; where nothing keeps the bounds, it is not made.
        asked: What is looked for.
        overwrite: Whether to replace a model folder that is there.
        revision: As for ``hotbed.load``.
        local_files_only: As for ``hotbed.load``.
        watch: Is told how far it is.
        house: Settings and catalogs; None means those of the process.
    """
    out = Path(out)
    refuse_existing(out, overwrite=overwrite)
    house = house or default_house()
    located = house.locate(str(model), revision=revision, local_files_only=local_files_only)
    folder = house.read(located)
    with replacing(out) as place:
        found = search(house, located, folder, asked, place, watch or _Nobody())
    if found.converted is None:
        return found
    return evolve(found, converted=evolve(found.converted, path=out))


class _Nobody:
    """A watch that looks away."""

    def expect(self, steps: int) -> None:
        """Nothing."""

    def step(self, what: str) -> None:
        """Nothing."""
