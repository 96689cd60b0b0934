"""Find the fastest way of quantising a model that keeps a promise.

Every recipe is tried as a whole. Then each layer is tried alone in each recipe worth mixing, and
from what it loses and saves the plans on the trade-off's hull are made. They are ordered from fast
to faithful, so the border between those that keep the bounds and those that do not is found by
halving, each step a real file, written, compared and timed. What is chosen is written once more
and has to keep the promise on texts that had no say; if it does not, the next one is taken.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

from attrs import evolve

from hotbed.conversion import Converted, quantize_into
from hotbed.errors import FidelityError
from hotbed.loading import House
from hotbed.measurements import this_machine
from hotbed.models.digests import combine
from hotbed.models.folder import ModelFolder
from hotbed.quantisation.asked import Asked, Watch
from hotbed.quantisation.bench import open_bench
from hotbed.quantisation.found import Found
from hotbed.quantisation.hunt import Hunt
from hotbed.quantisation.mixes import Trial, frontier
from hotbed.quantisation.sources import Source, find_sources
from hotbed.quantisation.speeds import FILE, Speeds, circumstances
from hotbed.quantisation.texts import Division, divide
from hotbed.sources import Located

__all__ = ["search"]


def search(
    house: House, located: Located, folder: ModelFolder, asked: Asked, out: Path, watch: Watch
) -> Found:
    """Search, and write what was found into a new model folder.

    Args:
        house: Settings and catalogs.
        located: Where the model lies.
        folder: The model.
        asked: What is looked for.
        out: The folder to make.
        watch: Is told how far it is.

    Returns:
        Everything that was tried. Where nothing keeps the bounds, ``chosen`` is None and ``out``
        was not made; ``require`` turns that into an error.

    Raises:
        UsageError: The texts are too few or of the wrong kind.
        NoBackendError: Nothing installed can quantise the model.
    """
    started = time.perf_counter()
    texts = asked.division or divide(asked.texts, asked.seed)
    sources, refusals = find_sources(
        house,
        located,
        folder,
        backends=asked.backends,
        recipes=asked.recipes,
        profile=asked.profile,
    )
    speeds = _speeds(house, sources, texts, asked)
    with open_bench(house, located, folder, texts, asked.bounds, asked.rounds, speeds) as bench:
        hunt = Hunt(bench=bench, asked=asked, watch=watch, trials=list(asked.known))
        hunt.expect(sources)
        hunt.try_wholes(sources)
        for source in sources:
            hunt.mix(source)
        chosen, converted = _publish(hunt, sources, texts, out)
    ranked = tuple(sorted(frontier(hunt.trials), key=lambda one: one.speed, reverse=True))
    return Found(
        model=folder.name,
        bounds=asked.bounds,
        texts=str(texts),
        machine=this_machine(),
        trials=ranked,
        chosen=next((one for one in ranked if chosen and one.mix.same_as(chosen.mix)), None),
        converted=converted,
        sensitivities=tuple(sorted(hunt.sensitivities, key=lambda one: -one.mean)),
        refusals=tuple(refusals),
        float32_bytes=sources[0].nbytes,
        seconds=time.perf_counter() - started,
    )


def _speeds(house: House, sources: Sequence[Source], texts: Division, asked: Asked) -> Speeds:
    """What was measured before of these files, here."""
    files = [file for source in sources for file in source.files]
    digests = house.cache.digests.files(files)
    # What runs float32 beside the candidates is one of these, or installed beside them.
    engines = [source.engine for source in sources]
    key = circumstances(
        combine((path.name, digest) for path, digest in digests.items()),
        engines,
        texts.search,
        asked.rounds,
    )
    return Speeds(path=house.settings.home / FILE, key=key, again=asked.remeasure)


def _publish(
    hunt: Hunt, sources: Sequence[Source], texts: Division, out: Path
) -> tuple[Trial | None, Converted | None]:
    """Write the best that keeps the promise on texts that had no say; none may be left."""
    bench = hunt.bench
    gate = bench.house.gate(
        texts.held_out,
        built_in=not texts.held_out_given,
        least=hunt.asked.bounds.threshold,
    )
    by_name = {source.backend: source for source in sources}
    while (one := hunt.best()) is not None:
        hunt.watch.step(f"{one.mix.backend}: {one.mix}, on held-out texts")
        source, recipe = by_name[one.mix.backend], one.mix.as_recipe()
        try:
            converted = quantize_into(
                source.engine, source.artifact, bench.folder, recipe, texts.ranges, out, gate
            )
        except FidelityError as error:
            hunt.refuse(one, error)
            continue
        chosen = evolve(one, held_out=converted.reports[0].overall)
        hunt.replace(one, chosen)
        return chosen, converted
    return None, None
