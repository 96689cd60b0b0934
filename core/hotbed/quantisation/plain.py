"""One recipe on the whole model; where that loses too much, the search for what to leave out."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from pathlib import Path

from attrs import evolve, frozen

from hotbed.backends.decision import Decision, Request
from hotbed.backends.manifest import dtype_name
from hotbed.backends.values import Recipe
from hotbed.conversion import Converted, quantize_into
from hotbed.errors import FidelityError, NoBackendError, UsageError
from hotbed.fidelity import Report, Threshold
from hotbed.inference.inputs import texts_of
from hotbed.loading import House
from hotbed.models.folder import ModelFolder
from hotbed.quantisation.asked import Asked, Watch
from hotbed.quantisation.bounds import Bounds
from hotbed.quantisation.forecast import in_time
from hotbed.quantisation.found import Found, require
from hotbed.quantisation.mixes import Mix, Trial
from hotbed.quantisation.search import search
from hotbed.quantisation.sources import LAYERS
from hotbed.quantisation.texts import LEAST, Division, divide
from hotbed.sources import Located

__all__ = ["Written", "quantize_plainly"]

_log = logging.getLogger("hotbed.quantisation")


@frozen(kw_only=True)
class Written:
    """What was written.

    Attributes:
        converted: The folder.
        backend: Who wrote it.
        found: The search, where the plain recipe lost too much.
        refused: What the gate said of the plain recipe then.
    """

    converted: Converted
    backend: str
    found: Found | None = None
    refused: str = ""


def quantize_plainly(
    house: House,
    located: Located,
    folder: ModelFolder,
    wanted: str,
    out: Path,
    watch: Watch,
    *,
    texts: Sequence[str] | None = None,
    backend: str | None = None,
    profile: str = "",
    accept_loss: bool = False,
) -> Written:
    """Quantise by the plain recipe of a dtype.

    Args:
        house: Settings and catalogs.
        located: Where the model lies.
        folder: The model.
        wanted: A dtype, as ``int8``, or a recipe's name, as ``static_int8``.
        out: The folder to make.
        watch: Is told how far a search is.
        texts: Texts like those that the model will see. A few only check the result; of many, a
            third serves to learn the ranges of activations.
        backend: The one backend to use.
        profile: The graph profile to start from.
        accept_loss: Whether to keep what falls short.

    Raises:
        NoBackendError: Nothing installed does that with the model.
        BoundsError: The search found nothing either.
    """
    decision, recipe = _choose(house, folder, wanted, backend, profile)
    chosen = decision.chosen
    assert chosen is not None
    assert chosen.route is not None
    given = None if texts is None else texts_of(texts, name="texts")
    parts = _parts(given)
    artifact = house.artifact(chosen.route, located, folder)
    engine = house.engine(chosen.backend)
    gate = house.gate(parts.held_out, built_in=not parts.held_out_given, accept_loss=accept_loss)
    started = time.perf_counter()
    watch.step(f"{chosen.backend}: {recipe}")
    try:
        converted = quantize_into(
            engine, artifact, folder, Recipe(name=recipe), parts.ranges, out, gate
        )
    except FidelityError as error:
        report = error.report
        searchable = LAYERS in chosen.route.capability.features
        if not searchable or report is None or report.overall is None:
            raise
        refused = str(error)
        plain = _refused(chosen.backend, recipe, error, report)
    else:
        return Written(converted=converted, backend=chosen.backend)
    _log.warning(
        "%s\nSearching for layers to leave in float32. The plain form took %s to write and to "
        "check; it is not tried again, and how long the search takes is said when its first layer "
        "was measured",
        refused,
        in_time(time.perf_counter() - started),
    )
    asked = Asked(
        bounds=_bounds(report.threshold),
        division=parts,
        known=(plain,),
        rounds=1,  # speed has no say
        backends=(chosen.backend,),
        recipes=(recipe,),
        profile=profile,
        smallest=True,  # who names a dtype wants it, faster or not
        dependent=True,
    )
    found = search(house, located, folder, asked, out, watch)
    require(found)
    assert found.converted is not None
    return Written(converted=found.converted, backend=chosen.backend, found=found, refused=refused)


def _choose(
    house: House, folder: ModelFolder, wanted: str, backend: str | None, profile: str
) -> tuple[Decision, str]:
    """Who does it, and the recipe's name."""
    decision = None
    recipes = _recipes(house, wanted, backend)
    request = Request(action="quantize", backend=backend, profile=profile)
    for recipe in recipes:
        decision = house.decide(evolve(request, recipe=recipe), folder)
        if decision.chosen is not None:
            return decision, recipe
    if decision is None:
        decision = house.decide(request, folder)
    raise NoBackendError(f"nothing here quantises {folder.name} to {wanted}:\n{decision.explain()}")


def _recipes(house: House, wanted: str, backend: str | None) -> list[str]:
    """Recipes of that name, or else those whose result is asked for by that dtype."""
    able = [
        (name, capability)
        for found in house.backends.found()
        if found.usable and found.manifest and backend in (None, found.name)
        for capability in found.manifest.capabilities
        if capability.action == "quantize"
        for name in capability.recipes
    ]
    try:
        dtype = dtype_name(wanted)
    except KeyError:
        dtype = wanted
    named = [name for name, _ in able if name in (wanted, dtype)]
    served = [name for name, capability in able if dtype in capability.dtypes[:1]]
    if not named and not served and able:
        offered = ", ".join(dict.fromkeys(f"{name} ({c.dtypes[0]})" for name, c in able))
        raise UsageError(f"--quantize {wanted}: nothing installed does that; there is {offered}")
    return list(dict.fromkeys(named or served))


def _parts(texts: Sequence[str] | None) -> Division:
    """The texts of the gate, which are those of a search's promise: one verdict on one set."""
    if texts is None or len(set(texts)) >= LEAST:
        return divide(texts)
    return evolve(divide(None), held_out=tuple(dict.fromkeys(texts)), held_out_given=True)


def _refused(backend: str, recipe: str, error: FidelityError, report: Report) -> Trial:
    """What the gate found of the plain form, as the search's first trial."""
    return Trial(
        mix=Mix(backend=backend, recipe=recipe),
        nbytes=error.nbytes,
        fidelity=report.overall,
        held_out=report.overall,
        batch_dependent=report.batch_dependent,
        missed=f"on held-out texts: {report.shortfall}",
        refused=True,
    )


def _bounds(least: Threshold) -> Bounds:
    return Bounds(
        min_cosine=least.lowest if least.lowest > -1 else None,
        min_mean_cosine=least.mean if least.mean > -1 else None,
        min_edge_cosine=least.edges if least.edges > -1 else None,
    )
