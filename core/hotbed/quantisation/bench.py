"""Write a mix, open it, compare it with float32 and time it beside float32."""

from __future__ import annotations

import itertools
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

import numpy as np
from attrs import define, field
from numpy.typing import NDArray

from hotbed.backends.decision import Request
from hotbed.backends.values import Artifact, Layer, TokenBatch
from hotbed.conversion.quantize import calibration
from hotbed.errors import HotbedError, NoBackendError
from hotbed.fidelity import compare_vectors
from hotbed.inference.runner import Runner
from hotbed.loading import House
from hotbed.models.folder import ModelFolder
from hotbed.quantisation.bounds import Bounds
from hotbed.quantisation.mixes import Mix, Trial
from hotbed.quantisation.sources import Source
from hotbed.quantisation.speeds import Speeds
from hotbed.quantisation.texts import Division
from hotbed.sources import Located
from hotbed.tuning.steady import time_pass
from hotbed.tuning.texts import spread_over
from hotbed.tuning.timing import Spread

__all__ = ["Bench", "open_bench"]

_PASS = 1.0
"""Seconds that a timed pass of the float32 model should take at most."""

_LEAST = 16
"""Texts in a timed pass, at least."""

_WARM = 8
"""Texts that run before anything is timed."""

_SAMPLE = 48
"""Texts on which a layer's sensitivity is measured."""

_OPENING = 1e-8
"""Seconds that writing and opening a file takes for each of its bytes."""

_SAMPLE_LEAST = 16
"""Texts of a large model."""

_SHORT = 48
"""Tokens of a large model's texts: a long text takes the time of ten short ones, and what a layer
loses is corrected by what whole mixes lose."""

_SAMPLE_WORK = 48 * 20_000_000
"""Products for a token, times texts: small models of 20 million weights and less take them all."""

Floats = NDArray[np.float32]


@define(kw_only=True, eq=False)
class Bench:
    """A model, its float32 self, and room to try others.

    Attributes:
        house: Settings and catalogs.
        folder: The model.
        texts: The texts.
        bounds: What a trial is judged by.
        rounds: Rounds in which a trial is timed.
        speeds: What was measured before.
        float32: The float32 model, open; everything is compared with it.
        place: A folder for what is tried.
    """

    house: House
    folder: ModelFolder
    texts: Division
    bounds: Bounds
    rounds: int
    speeds: Speeds
    float32: Runner
    place: Path
    wanted: Floats = field(init=False)
    timed: tuple[str, ...] = field(init=False)
    seconds: float = field(init=False)
    _batches: tuple[TokenBatch, ...] = field(init=False)
    _serial: Iterator[int] = field(factory=itertools.count)

    def __attrs_post_init__(self) -> None:
        """Embed the texts once, in float32, which also tells how many make a pass."""
        time_pass(self.float32, self.texts.search[:_WARM])
        seconds, self.wanted = time_pass(self.float32, self.texts.search)
        count = max(_LEAST, int(len(self.texts.search) * _PASS / seconds))
        self.timed = tuple(spread_over(self.texts.search, count))
        self.seconds = seconds * len(self.timed) / len(self.texts.search)
        self._batches = calibration(self.folder, self.texts.ranges)

    def sample(self, layers: Sequence[Layer]) -> NDArray[np.int64]:
        """The texts, by place, on which a layer's sensitivity is measured.

        Fewer for larger models, by their size alone: what a machine is busy with has no say in it.
        """
        products = sum(layer.inputs * layer.outputs for layer in layers if layer.kind == "linear")
        affordable = max(_SAMPLE_LEAST, min(_SAMPLE, _SAMPLE_WORK // max(products, 1)))
        places = np.arange(len(self.texts.search))
        if affordable < _SAMPLE:
            counts = self.float32.tokenize(self.texts.search, "").counts
            # Where there are too few short ones, the shortest.
            most = max(_SHORT, np.sort(counts)[: int(affordable)].max())
            places = np.flatnonzero(counts <= most)
        count = min(len(places), int(affordable))
        return places[np.unique(np.linspace(0, len(places) - 1, count).astype(np.int64))]

    def guess(self, sources: Sequence[Source]) -> tuple[float, float]:
        """Seconds that a whole form, and one layer, will take at most, by what float32 took.

        Writing and opening a file is a pass over few texts; then all texts run once, and some in
        each round beside float32.
        """
        each = self.seconds / len(self.timed)
        opening = max((_OPENING * source.nbytes for source in sources), default=0.0)
        whole = opening + each * len(self.texts.search) + 2 * self.rounds * self.seconds
        sample = max((len(self.sample(source.layers)) for source in sources), default=0)
        return whole, opening + each * sample

    def losses(
        self, source: Source, mixes: Iterable[Mix], places: NDArray[np.int64]
    ) -> Iterator[NDArray[np.float64] | None]:
        """For each mix 1 - cosine to float32 of each of the texts at those places.

        Writing and opening a file keeps one core busy, running it another: while one mix runs, on
        one thread, the next is written and opened.

        Yields:
            The losses; None of a mix that cannot be written, opened or run.
        """
        with ThreadPoolExecutor(1, thread_name_prefix="hotbed-losses") as pool:
            before: Future[NDArray[np.float64] | None] | None = None
            for mix in mixes:
                now = self._begin(source, mix, places, pool)
                if before is not None:
                    yield before.result()
                before = now
            if before is not None:
                yield before.result()

    def _begin(
        self, source: Source, mix: Mix, places: NDArray[np.int64], pool: ThreadPoolExecutor
    ) -> Future[NDArray[np.float64] | None]:
        """Write and open a mix, and let the pool run it and clear it away."""
        stack = ExitStack()
        try:
            runner, _ = stack.enter_context(self._opened(source, mix, threads=1))
        except HotbedError:
            done: Future[NDArray[np.float64] | None] = Future()
            done.set_result(None)
            return done

        def run() -> NDArray[np.float64] | None:
            with stack:
                try:
                    return self._lost(runner, places)
                except HotbedError:
                    return None

        return pool.submit(run)

    def _lost(self, runner: Runner, places: NDArray[np.int64]) -> NDArray[np.float64]:
        """1 - cosine to float32 of each of the texts at those places."""
        texts = [self.texts.search[place] for place in places]
        found = np.asarray(time_pass(runner, texts)[1], np.float64)
        wanted = np.asarray(self.wanted[places], np.float64)
        lengths = np.linalg.norm(found, axis=1) * np.linalg.norm(wanted, axis=1)
        cosines = np.einsum("td,td->t", found, wanted) / np.where(lengths == 0, 1, lengths)
        return np.clip(1 - cosines, 0, None)

    def trial(self, source: Source, mix: Mix) -> Trial:
        """Try a mix: fidelity, size and speed."""
        try:
            with self._opened(source, mix) as (runner, nbytes):
                fidelity = compare_vectors(self.wanted, time_pass(runner, self.texts.search)[1])
                speedup = self.speeds.recall(mix) or self._speedup(runner)
                dependent = runner.loaded.batch_dependent
        except HotbedError as error:
            return Trial(mix=mix, missed=str(error))  # shown in the table
        self.speeds.remember(mix, speedup)
        return Trial(
            mix=mix,
            nbytes=nbytes,
            fidelity=fidelity,
            speedup=speedup,
            batch_dependent=dependent,
            missed=self.bounds.missed(fidelity, nbytes, speedup.median),
        )

    def _speedup(self, runner: Runner) -> Spread:
        """Times as fast, taking turns, so that whatever disturbs one disturbs the other."""
        ratios = []
        for number in range(self.rounds):
            pair = (self.float32, runner) if number % 2 == 0 else (runner, self.float32)
            seconds = {id(one): time_pass(one, self.timed)[0] for one in pair}
            ratios.append(seconds[id(self.float32)] / seconds[id(runner)])
        return Spread.of(ratios)

    @contextmanager
    def _opened(
        self, source: Source, mix: Mix, threads: int | None = None
    ) -> Iterator[tuple[Runner, int]]:
        """The mix, written and open, and its size; closed and removed in the end."""
        place = self.place / str(next(self._serial))
        place.mkdir()
        try:
            recipe = mix.as_recipe()
            variant = source.engine.quantize(source.artifact, recipe, self._batches, place)[0]
            nbytes = sum(file.stat().st_size for file in place.rglob("*") if file.is_file())
            artifact = Artifact(folder=self.folder.path, path=place / variant.file, variant=variant)
            runner = self.house.open_written(self.folder, artifact, threads)
            try:
                yield runner, nbytes
            finally:
                runner.engine.close(runner.loaded)
        finally:
            shutil.rmtree(place, ignore_errors=True)


@contextmanager
def open_bench(
    house: House,
    located: Located,
    folder: ModelFolder,
    texts: Division,
    bounds: Bounds,
    rounds: int,
    speeds: Speeds,
) -> Iterator[Bench]:
    """Open the float32 model as ``hotbed.load`` would, and clear everything away in the end.

    Raises:
        NoBackendError: Nothing installed runs the model in float32.
    """
    decision = house.decide(Request(dtype="float32"), folder)
    if decision.chosen is None:
        raise NoBackendError(f"nothing runs the model in float32:\n{decision.explain()}")
    float32 = house.open(decision.chosen, located, folder)
    try:
        with tempfile.TemporaryDirectory(prefix="hotbed-quantise-") as place:
            yield Bench(
                house=house,
                folder=folder,
                texts=texts,
                bounds=bounds,
                rounds=rounds,
                speeds=speeds,
                float32=float32,
                place=Path(place),
            )
    finally:
        float32.engine.close(float32.loaded)
